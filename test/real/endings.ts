// What is to be done when this process ends, whether by itself or by a signal: children must not outlive it.

const actions = new Set<() => void>()
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
let isListening = false

/** Has `action` run when this process ends before the yielded function is called. It must not wait for anything. */
export function atEnd(action: () => void): () => void {
  actions.add(action)
  if (!isListening) {
    isListening = true
    process.once('exit', runAll)
    for (const signal of signals) process.on(signal, endBy)
  }
  return () => {
    actions.delete(action)
  }
}

function runAll(): void {
  for (const action of actions) action()
  actions.clear()
}

function endBy(signal: NodeJS.Signals): void {
  runAll()
  for (const known of signals) process.off(known, endBy)
  process.kill(process.pid, signal)
}
