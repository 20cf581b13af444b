// Intel's daemon xpumd, which says by a stream how cards are. Its last word on a card counts until it says another; a stream that ends is opened anew.

import type { ClientReadableStream } from '@grpc/grpc-js'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { integer, list, message, nested, type Of, text } from '#kube/protobuf-message.ts'
import type { Complaint } from './card-health.ts'
import { sidecarClient } from './sidecar.ts'

/** How long after the end of a stream the next is tried. Upstream gives up after 30 tries; ours does not. */
const nextTryMs = 10_000
const mostCards = 256
const mostComplaints = 8
const longestReason = 200

const request = message({})
const response = message({
  devices: list(
    1,
    message({
      info: nested(1, message({ pci: nested(3, message({ bdf: text(1) })) })),
      health: list(2, message({ name: text(1), severity: integer(2), reason: text(3) })),
    }),
  ),
})
/** From this severity on a card is unhealthy: 0 is unknown, 1 well, 2 a warning. */
const warning = 2

type Heard = Of<typeof response>['devices'][number]

export class Xpumd implements AsyncDisposable {
  readonly socket: string
  readonly #clock: Clock
  readonly #log: Log
  readonly #said = new Map<string, Complaint | undefined>()
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  #told = ''

  /** It listens until it is disposed of. */
  constructor(socket: string, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.socket = socket
    this.#clock = clock
    this.#log = log
    this.#running = this.#run(this.#stop.signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new DOMException('nobody listens to xpumd any more', 'AbortError'))
    await this.#running
  }

  /** Why the card at a PCI address is not well, by the last word on it; `undefined` where it is, or nobody said. */
  complaintOf(address: string): Complaint | undefined {
    return this.#said.get(address)
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const why = await this.#listen(signal)
      if (signal.aborted) return
      if (why !== this.#told)
        this.#log.warn(
          { socket: this.socket, why },
          'xpumd cannot be heard: cards are as it said last, and well where it said nothing',
        )
      this.#told = why
      try {
        await this.#clock.after(nextTryMs, signal)
      } catch (error) {
        if (!signal.aborted) throw error
      }
    }
  }

  /** Until the stream ends. @returns why it did */
  async #listen(signal: AbortSignal): Promise<string> {
    const client = sidecarClient(this.socket)
    const call: ClientReadableStream<Of<typeof response>> = client.makeServerStreamRequest(
      '/deviceinfo.DeviceInfo/WatchDeviceHealth',
      (value: object) => request.encode(value),
      bytes => response.decode(bytes),
      {},
    )
    const onAbort = () => call.cancel()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await new Promise<string>(resolve => {
        call.on('data', ({ devices }: Of<typeof response>) => {
          this.#told = ''
          for (const device of devices) this.#take(device)
        })
        call.on('error', error => resolve(messageOf(error)))
        call.on('end', () => resolve('it ended the stream'))
      })
    } finally {
      signal.removeEventListener('abort', onAbort)
      call.cancel()
      client.close()
    }
  }

  #take({ info, health }: Heard): void {
    const address = info?.pci?.bdf ?? ''
    if (address === '' || (!this.#said.has(address) && this.#said.size >= mostCards)) return
    const bad = health.filter(({ severity }) => severity >= warning).slice(0, mostComplaints)
    const why = bad.map(({ name, reason }) => (reason === '' ? name : `${name} (${reason})`)).join(', ')
    this.#said.set(
      address,
      bad.length === 0
        ? undefined
        : { why: `xpumd says: ${why.slice(0, longestReason)}`, about: [...new Set(bad.map(({ name }) => wordOf(name)))] },
    )
  }
}

/** What a domain of xpumd is about, in our words. */
function wordOf(domain: string): Complaint['about'][number] {
  if (/temp/i.test(domain)) return 'temperature'
  if (/mem/i.test(domain)) return 'memory'
  if (/pci|bus|port|fabric/i.test(domain)) return 'bus'
  return /power|freq|engine|core|gpu/i.test(domain) ? 'processor' : 'driver'
}
