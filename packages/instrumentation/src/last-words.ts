interface LastWords {
  flushNow(): boolean
  lastWords(): Promise<void>
}

/** The last spans leave before the process does, without delaying its end: by a write that does not wait. */
export function flushAtTheEnd(exporter: LastWords): void {
  process.once('beforeExit', () => void exporter.lastWords())
  process.on('exit', () => void exporter.flushNow())
  process.once('SIGTERM', endBySignal) // never called in a worker thread

  function endBySignal(): void {
    exporter.flushNow()
    // A listener keeps the signal from ending the process; where the app has none of its own, it ends as it would have.
    if (process.listenerCount('SIGTERM') === 0) process.kill(process.pid, 'SIGTERM')
  }
}
