// Waits until the cleanup of every node has said that it is done: what the job of an uninstall does.
import { lookup } from 'node:dns/promises'
import { request } from 'node:http'
import { messageOf } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import type { CleanupWaitOptions } from './options.ts'

interface Endpoint {
  readonly host: string
  readonly port: number
}

const probeMs = 1_000
const atOnce = 10

/**
 * Asks every address of the endpoint for `GET /readyz`, round after round; returns after `threshold` rounds in a row in which all
 * answered 200. A name without addresses is a failure.
 * @throws InputError for the endpoint; `signal.reason` when aborted
 */
export const waitForCleanup = (options: CleanupWaitOptions): Promise<void> => waitForCleanupBy(options, { addressesOf, probe })

interface Wire {
  addressesOf(host: string): Promise<readonly string[]>
  /** Why the address did not answer 200; `undefined`: it did. */
  probe(address: string, port: number, signal: AbortSignal): Promise<string | undefined>
}

export async function waitForCleanupBy(options: CleanupWaitOptions, wire: Wire): Promise<void> {
  const endpoint = parsedEndpoint(options.probeEndpoint)
  const { clock, log, signal, threshold, periodMs } = options
  let count = 0
  while (true) {
    signal.throwIfAborted()
    const failure = await round(endpoint, options, wire)
    signal.throwIfAborted()
    count = failure === undefined ? count + 1 : 0
    if (failure !== undefined) log.warn({ endpoint: options.probeEndpoint, failure }, 'not all nodes are cleaned up yet')
    else log.info({ endpoint: options.probeEndpoint, count, threshold }, 'all nodes answered')
    if (count >= threshold) return
    await clock.after(periodMs, signal)
  }
}

/** Why the round failed; `undefined`: everybody answered. */
async function round({ host, port }: Endpoint, { clock, signal }: CleanupWaitOptions, wire: Wire): Promise<string | undefined> {
  let addresses: readonly string[]
  try {
    addresses = await wire.addressesOf(host)
  } catch (error) {
    return `${host}: ${messageOf(error)}`
  }
  if (addresses.length === 0) return `${host} has no address`
  for (let from = 0; from < addresses.length; from += atOnce) {
    const answers = await Promise.all(
      addresses.slice(from, from + atOnce).map(async address => {
        const late = new AbortController()
        const cancel = clock.schedule(probeMs, () => late.abort(new Error(`no answer within ${probeMs} ms`)))
        const why = await wire.probe(address, port, AbortSignal.any([signal, late.signal]))
        cancel()
        return why === undefined ? [] : [`${address}: ${why}`]
      }),
    )
    const [first] = answers.flat()
    if (first !== undefined) return first
  }
  return undefined
}

/** `host:port`; IPv6 in brackets. @throws InputError */
function parsedEndpoint(text: string): Endpoint {
  const [, bracketed, plain, port = ''] = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  if (host !== undefined && Number(port) >= 1 && Number(port) <= 65_535) return { host, port: Number(port) }
  throw new InputError([
    {
      code: 'probe-endpoint',
      where: '--probe-endpoint',
      found: text,
      expected: 'host:port such as "spegel-cleanup.spegel.svc:8080"',
    },
  ])
}

async function addressesOf(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true })
  return [...new Set(found.map(({ address }) => address))]
}

async function probe(address: string, port: number, signal: AbortSignal): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  const asked = request({ host: address, port, path: '/readyz', method: 'GET', agent: false, signal }, response => {
    response.resume()
    resolve(response.statusCode === 200 ? undefined : `answered ${response.statusCode}`)
  })
  asked.once('error', error => resolve(signal.aborted ? messageOf(signal.reason) : messageOf(error)))
  asked.end()
  return promise
}
