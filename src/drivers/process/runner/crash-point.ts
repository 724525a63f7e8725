/**
 * A named instruction at which tests let the runner die as `kill -9` would (`WEIR_CRASH_AT=task-spawned`), to show that whatever
 * comes after it need not have happened.
 */
export function crashPoint(name: CrashPoint): void {
  if (process.env['WEIR_CRASH_AT'] === name) process.kill(process.pid, 'SIGKILL')
}

export const CRASH_POINTS = [
  'epoch-persisted',
  'replica-recorded',
  'replica-prepared',
  'replica-spawned',
  'replica-running',
  'replica-stopping',
  'replica-killed',
  'task-recorded',
  'task-starting',
  'task-spawned',
  'task-running',
  'task-ended',
  'slug-unpacked',
  'daemon-recorded',
  'daemon-spawned',
  'resource-recorded',
  'resource-created',
] as const
export type CrashPoint = (typeof CRASH_POINTS)[number]
