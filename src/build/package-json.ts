import { WeirError } from '../errors.ts'

export interface Package {
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly optionalDependencies: Readonly<Record<string, string>>
  readonly node: string | null
  readonly manager: string | null
  readonly main: string | null
  readonly workspaces: boolean
}

/** The parts of package.json that matter here; `E_BUILD_FAILED` when it is not one. */
export function readPackage(text: string): Package {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    throw badPackage((error as Error).message)
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw badPackage('it is not an object')
  const field = (name: string): unknown => (parsed as Record<string, unknown>)[name]
  const engines = texts(field('engines'))
  const manager = field('packageManager')
  const main = field('main')
  return {
    scripts: texts(field('scripts')),
    dependencies: texts(field('dependencies')),
    devDependencies: texts(field('devDependencies')),
    optionalDependencies: texts(field('optionalDependencies')),
    node: engines['node'] ?? null,
    manager: typeof manager === 'string' ? (manager.split('@')[0] ?? null) : null,
    main: typeof main === 'string' ? main : null,
    workspaces: field('workspaces') !== undefined,
  }
}

function texts(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}

function badPackage(cause: string): WeirError {
  return new WeirError('E_BUILD_FAILED', { message: 'package.json cannot be read', cause, next: 'correct it, then weir deploy' })
}
