// A launcher and the program that it has started: what ends the one ends the other. Plain JavaScript for Node 20 and newer.

/**
 * Waits for a child's end, passes on what ends us, and ends it itself where it does not hear: at the second signal, or some time after the first.
 * @returns its code and signal
 */
export async function follow(child, isSharedTerminal) {
  const seconds = Number(process.env.BALLAST_TERMINATION_GRACE_SECONDS)
  const graceMs = (seconds > 0 ? seconds : 30) * 1000
  let asked = 0
  let timer
  let isInsisted = false
  const ask = signal => {
    const now = Date.now()
    // A signal to the whole group comes as well from whoever sent it to us alone.
    if (asked !== 0 && now - asked < 500) return
    const isSecond = asked !== 0
    asked = now
    // A terminal sends its own to the child as well.
    if (signal !== 'SIGINT' || !isSharedTerminal) child.kill(signal)
    // The second is heard by a loop that turns, and ends it; another is ended from here.
    if (isInsisted) return
    isInsisted = isSecond
    clearTimeout(timer)
    timer = setTimeout(() => child.kill('SIGKILL'), isSecond ? 1000 : graceMs + 1000)
  }
  const signals = ['SIGTERM', 'SIGHUP', 'SIGINT']
  const handlers = signals.map(signal => [signal, () => ask(signal)])
  for (const [signal, handler] of handlers) process.on(signal, handler)
  try {
    return await new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('exit', (code, signal) => resolve([code, signal]))
    })
  } finally {
    clearTimeout(timer)
    for (const [signal, handler] of handlers) process.off(signal, handler)
  }
}
