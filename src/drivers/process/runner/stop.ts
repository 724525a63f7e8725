import { setTimeout as sleep } from 'node:timers/promises'
import type { ProcessTree } from './tree.ts'

const LOOK_EVERY_MS = 20

/**
 * Asks the main process to end; when it has gone and left others, these are asked too, in what remains of the grace.
 * Whether all ended by themselves.
 */
export async function endGently(tree: ProcessTree, signal: NodeJS.Signals, graceMs: number): Promise<boolean> {
  const deadline = performance.now() + graceMs
  tree.signal(signal)
  const exited = await Promise.race([tree.exited.then(() => true), sleep(graceMs, false, { ref: false })])
  if (!exited) return false
  if (tree.pids().length === 0) return true
  tree.signalAll(signal)
  while (performance.now() < deadline) {
    await sleep(LOOK_EVERY_MS)
    if (tree.pids().length === 0) return true
  }
  return false
}
