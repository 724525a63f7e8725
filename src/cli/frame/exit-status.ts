import type { TaskView } from '../../../packages/client/src/types.ts'

type Exit = NonNullable<TaskView['exit']>

const SIGNALS: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 }

/** The remote code as a shell would say it: a signal is 128 + its number. */
export function exitCodeOf(exit: Exit): number {
  switch (exit.kind) {
    case 'code':
      return exit.code
    case 'signal':
      return 128 + (SIGNALS[exit.signal] ?? 0)
    case 'oom':
      return 137
    case 'timeout':
      return 124
    case 'unknown':
      return 1
  }
}

/** What a code alone does not say; null where it says all. */
export function exitNote(exit: Exit): string | null {
  switch (exit.kind) {
    case 'code':
      return null
    case 'signal':
      return `ended by ${exit.signal}`
    case 'oom':
      return 'ended: it needed more memory than its limit'
    case 'timeout':
      return 'ended: it took longer than its limit'
    case 'unknown':
      return 'how it ended is not known: the runner was restarted meanwhile'
  }
}
