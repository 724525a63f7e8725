/**
 * The import law (ARCHITECTURE.md). Each rule's comment is printed with its violation: it says why, and what to do instead.
 * Tests may import what they like.
 */
const TEST = ['\\.test\\.ts$', '^src/.*[/-]contract\\.ts$', '/testing[-a-z]*\\.ts$', '/(testing|fixtures?)/']
const TOUCHES = 'drivers|gateway|telemetry|build|source|store|secrets|identity|events|notify'
/** What one part may know of another: shapes, no code that acts. */
const INTERFACES =
  '^src/(drivers/(driver|confined|logs|exec)|gateway/gateway|build/builder|source/source|controllers/journal|store/(queries|writes|telemetry-queries)|secrets/(sealer|secret)|identity/principal|telemetry/(telemetry|keys)|events/events|notify/target)\\.ts$'
const SHARED = '^src/(errors|config|spawn|programs|own-build|open-to-all|reach|rpc/[^/]+|archive/[^/]+)(\\.ts)?$'

const core = (name, folders, allowed, packages, comment) => [
  {
    name,
    comment,
    severity: 'error',
    from: { path: `^src/core/(${folders})/`, pathNot: TEST },
    to: { path: '^(src|packages)/', pathNot: ['^src/errors\\.ts$', `^src/core/(${folders})/`, ...allowed] },
  },
  {
    name: `${name}-packages`,
    comment: 'core decides; libraries bring I/O, clocks and weight. Only the manifest needs a YAML and a schema library.',
    severity: 'error',
    from: { path: `^src/core/(${folders})/`, pathNot: TEST },
    to: { pathNot: ['^(src|packages)/', ...packages] },
  },
]

module.exports = {
  forbidden: [
    ...core(
      'model-knows-nothing',
      'model|canary|tracegraph',
      ['^src/core/model/'],
      [],
      'The nouns and the libraries of core stand alone, so that anyone can use them without the rest.',
    ),
    ...core('autoscale-knows-the-graph', 'autoscale', ['^src/core/(model|tracegraph)/'], [], 'Scaling decides from the service graph and nothing else.'),
    ...core(
      'manifest-knows-the-model',
      'manifest',
      ['^src/core/model/'],
      ['node_modules/(yaml|zod)/'],
      'The manifest turns text into the model; what is done with it is not its business.',
    ),
    ...core(
      'plan-knows-model-and-manifest',
      'plan|rollout',
      ['^src/core/(model|manifest|canary)/'],
      [],
      'Planning is a function of values; hand it what it needs as an argument.',
    ),
    {
      name: 'controllers-see-interfaces',
      comment: 'A controller that imports an implementation cannot run in the simulation. Use the interface file, and let server.ts join them.',
      severity: 'error',
      from: { path: '^src/controllers/', pathNot: TEST },
      to: { path: '^(src|packages)/', pathNot: ['^src/controllers/', '^src/core/', INTERFACES, SHARED] },
    },
    {
      name: 'parts-do-not-know-each-other',
      comment: 'Parts that touch the world meet only in server.ts: import an interface file or a type of core, or move what is shared to core/model.',
      severity: 'error',
      from: { path: `^src/(${TOUCHES})/`, pathNot: TEST },
      to: { path: '^(src|packages)/', pathNot: ['^src/$1/', '^src/core/model/', INTERFACES, SHARED, '^src/core/'] },
    },
    {
      name: 'parts-do-not-decide',
      comment: 'What touches the world may know the types of core, not call its decisions: those are called by controllers.',
      severity: 'error',
      from: { path: `^src/(${TOUCHES})/`, pathNot: TEST },
      to: {
        path: '^src/core/',
        // tracegraph measures and decides nothing: it is where spans are turned into a graph, whoever holds them.
        pathNot: ['^src/core/(model|tracegraph)/', '^src/core/rollout/state\\.ts$'],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'api-decides-nothing',
      comment: 'The API reads, stores a command and enqueues a key. What follows is decided in core and done by controllers.',
      severity: 'error',
      from: { path: '^src/api/', pathNot: TEST },
      to: {
        path: '^(src|packages)/',
        pathNot: ['^src/api/', '^src/core/', INTERFACES, SHARED, '^src/(identity|events)/', '^src/controllers/loop\\.ts$', '^packages/client/'],
      },
    },
    {
      name: 'cli-is-a-client',
      comment: 'Whatever the CLI can do, curl can: it goes through packages/client, or plans offline with core.',
      severity: 'error',
      from: { path: '^src/cli/', pathNot: TEST },
      to: { path: '^(src|packages)/', pathNot: ['^src/cli/', '^src/core/', SHARED, '^packages/client/', '^src/server\\.ts$'] },
    },
    {
      name: 'packages-stand-alone',
      comment: 'A package is installed apart from Weir, so it cannot import from src/.',
      severity: 'error',
      from: { path: '^packages/([^/]+)/', pathNot: TEST },
      to: { path: '^(src|packages)/', pathNot: '^packages/$1/' },
    },
    {
      name: 'only-main-starts-the-server',
      comment: 'server.ts is the composition root: it imports everything, so only what starts the program may import it (main.ts, the verb `server`).',
      severity: 'error',
      from: { path: '^(src|packages)/', pathNot: '^src/(main\\.ts|cli/server\\.ts|server/|server\\.ts)' },
      to: { path: '^src/server(\\.ts$|/)' },
    },
    {
      name: 'no-cycle',
      comment: 'Files that import each other cannot be read, tested or moved one at a time. Types and lazy imports may.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only', 'dynamic-import'] } },
    },
    {
      name: 'no-undeclared-package',
      comment: 'Declare it in package.json with its exact version; what is only there by chance goes away by chance.',
      severity: 'error',
      from: { pathNot: TEST },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown', 'undetermined'] },
    },
    {
      name: 'no-development-package',
      comment: 'It is not there where Weir is installed.',
      severity: 'error',
      from: { path: '^(src|packages)/', pathNot: TEST },
      to: { dependencyTypes: ['npm-dev'], pathNot: 'node_modules/@types/' },
    },
    {
      name: 'no-test-code',
      comment: 'Suites and fixtures are for tests only.',
      severity: 'error',
      from: { path: '^(src|packages)/', pathNot: TEST },
      to: { path: [...TEST, '^test/'] },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
}
