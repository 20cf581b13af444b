// A thread of listeners whose loop turns no more once something is to be closed.
import { parentPort } from 'node:worker_threads'

parentPort?.on('message', (message: { readonly kind: string; readonly listener?: number }) => {
  if (message.kind === 'listen') parentPort?.postMessage({ kind: 'listening', listener: message.listener, port: 1 })
  if (message.kind !== 'close') return
  parentPort?.postMessage({ kind: 'turned-away', listener: message.listener, why: 'hangs', peer: '', times: 1 })
  for (;;);
})
