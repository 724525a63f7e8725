# npm puts the bundled Node 24 first on PATH, so the machine's own may be any from 20 on.
.PHONY: demo test goals build check format clean packages

demo: packages build ## installs, starts Weir with a real app, and stays until Ctrl-C
	@npm run --silent demo

test: installed ## everything that .ci/run checks
	@scripts/install-packages run test
	@npm run --silent test

goals: build ## the measurements of docs/goals.md; AREA=deliver FULL=1
	@scripts/install-packages run test goals
	@npm run --silent goals -- $(AREA) $(if $(FULL),--full)

build: installed ## dist/
	@npm run --silent build

check: installed ## types, lint, format, import law, dead code: seconds
	@npm run --silent check

format: installed
	@npm run --silent format

clean:
	rm -rf dist node_modules

packages:
	@scripts/install-packages run

.PHONY: installed
installed: node_modules/.installed

node_modules/.installed: package.json package-lock.json .npmrc $(wildcard packages/*/package.json)
	npm ci --loglevel=error
	@touch $@
