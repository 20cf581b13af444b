// Asks a listener from another thread, while the thread that it belongs to does nothing.
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../../clock.ts'

interface Order {
  readonly port: number
  readonly asks: readonly (readonly [path: string, afterMs: number])[]
  /** Set, and told, when all is answered. */
  readonly done: Int32Array
}

if (parentPort !== null) {
  const { port, asks, done }: Order = workerData
  parentPort.postMessage('ready')
  const answers = asks.map(async ([path, afterMs]) => {
    await systemClock.after(afterMs)
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } })
    return `${response.status} ${await response.text()}`
  })
  parentPort.postMessage(await Promise.all(answers))
  Atomics.store(done, 0, 1)
  Atomics.notify(done, 0)
}
