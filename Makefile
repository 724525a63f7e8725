# npm puts the bundled Node 24 first on PATH, so the machine's own may be any from 20 on.
.PHONY: demo test goals build check format clean packages

# In a process group of its own where there is a terminal: Ctrl-C is for the demo, which ends in its way; make and npm would add words and a failure of theirs.
demo: packages build ## installs, starts Weir with a real app, and stays until Ctrl-C
	@if [ -t 0 ]; then set -m; fi; PATH="$$PWD/node_modules/.bin:$$PATH" node scripts/demo.ts

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
