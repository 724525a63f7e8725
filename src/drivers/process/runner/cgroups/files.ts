import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export function makeGroup(path: string): void {
  try {
    mkdirSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

export function put(path: string, file: string, value: string | number): void {
  writeFileSync(join(path, file), String(value), { flag: 'r+' })
}

export function putIfPresent(path: string, file: string, value: string | number): void {
  if (existsSync(join(path, file))) put(path, file, value)
}

/** Empty when the group is gone. */
export function get(path: string, file: string): string {
  try {
    return readFileSync(join(path, file), 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '')) return ''
    throw error
  }
}

export function pidsIn(path: string, file: string): number[] {
  return get(path, file).split('\n').filter(Boolean).map(Number)
}

/** `key value` lines, as memory.events and memory.oom_control have them. */
export function counter(text: string, key: string): number {
  const line = text.split('\n').find((it) => it.startsWith(`${key} `))
  return line ? Number(line.slice(key.length + 1)) : 0
}

export function subgroups(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((it) => it.isDirectory())
      .map((it) => it.name)
  } catch {
    return []
  }
}

/** A group that still holds a process that is just dying refuses for some milliseconds; the next sweep takes it. */
export function removeGroup(path: string): void {
  for (const child of subgroups(path)) removeGroup(join(path, child)) // an app may have made groups of its own
  try {
    rmdirSync(path)
  } catch (error) {
    if (!['ENOENT', 'EBUSY', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

export function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // it has ended by itself
    }
  }
}
