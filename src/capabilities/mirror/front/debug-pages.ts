// `/debug/web/` of the metrics port: who this agent is, what it has, whom it knows, and how quickly an image comes through it.
import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import type { Exchange, ExchangeState, Peer, Router, Store } from '../contract.ts'
import { type ImageName, parseDigest, tagKey } from '../reference.ts'
import type { Answer } from './answers.ts'
import { escaped, html, json, page, seconds, table } from './html.ts'
import { looseImageName } from './loose-image-name.ts'

interface DebugOptions {
  readonly store: Pick<Store, 'images' | 'health'>
  readonly router: Pick<Router, 'id' | 'state' | 'lookup'>
  readonly exchange: Pick<Exchange, 'state' | 'fetch'>
  readonly lastSuccessMs: () => number | undefined
  readonly clock: Clock
}

/** For one measurement; and how many run at a time: it loads a whole image from other nodes. */
const measureMs = 300_000
const lookupMs = 3_000
const mostLookedUp = 64
const mostAtOnce = 1
/** Images and peers on the page. */
const mostShown = 1_000

export class DebugPages {
  readonly #options: DebugOptions
  #measuring = 0

  constructor(options: DebugOptions) {
    this.#options = options
  }

  /** The answer to a GET, or `undefined` where the path is none of these. Never throws. */
  async answer(target: string, gone: AbortSignal): Promise<Answer | undefined> {
    const url = URL.parse(target, 'http://debug')
    switch (url?.pathname) {
      case '/debug/web/':
        return html(indexPage(this.#options.router.id))
      case '/debug/web/metadata':
        return { ...json({ libp2p: { id: this.#options.router.id } }) }
      case '/debug/web/stats':
        return html(this.#stats())
      case '/debug/web/measure':
        return await this.#measure(url.searchParams.get('image') ?? '', gone)
      default:
        return undefined
    }
  }

  #stats(): string {
    const { store, router, exchange, lastSuccessMs, clock } = this.#options
    const { peers, announced, isReady, isAlone, reason } = router.state()
    const images = store.images()
    const success = lastSuccessMs()
    const health = store.health()
    return page('Statistics', [
      table(
        ['what', 'value'],
        [
          ['peers in the routing table', String(peers)],
          ['keys announced', String(announced)],
          ['ready', isReady ? (isAlone ? 'yes, alone' : 'yes') : `no: ${reason ?? 'not known why'}`],
          ['containerd', health.isUp ? (health.version ?? 'up') : (health.problems[0]?.message ?? 'down')],
          ['last content from another node', success === undefined ? 'never' : `${seconds(clock.now() - success)} ago`],
          ['transfers under way', String(exchange.state().inFlight)],
        ],
      ),
      quarantinedTable(exchange.state(), clock.now()),
      table(
        ['image', 'digest', 'bytes here'],
        images
          .slice(0, mostShown)
          .map(({ name, digest, parts }) => [name, digest, String([...parts.values()].reduce((sum, size) => sum + size, 0))]),
      ),
      images.length > mostShown ? `<p>${images.length - mostShown} more are not shown.</p>` : '',
    ])
  }

  async #measure(text: string, gone: AbortSignal): Promise<Answer> {
    if (text === '') return html(page('Measure', ['<p>image name cannot be empty</p>']), 400)
    const image = looseImageName(text)
    if (image === undefined) return html(page('Measure', [`<p>${escaped(text)} is no name of an image</p>`]), 400)
    if (this.#measuring >= mostAtOnce) return html(page('Measure', ['<p>another measurement is running</p>']), 503)
    this.#measuring++
    const late = new AbortController()
    const cancel = this.#options.clock.schedule(measureMs, () => late.abort())
    try {
      const signal = AbortSignal.any([gone, late.signal])
      const found = await this.#lookup(image, signal)
      const pulled = found.length === 0 ? [] : await this.#pull(image, signal)
      return html(measurePage(image, found, pulled))
    } catch (error) {
      return html(page('Measure', [`<p>${escaped(messageOf(error))}</p>`]), 500)
    } finally {
      cancel()
      this.#measuring--
    }
  }

  async #lookup(image: ImageName, outer: AbortSignal): Promise<readonly Timed<Peer>[]> {
    const { router, clock } = this.#options
    const late = new AbortController()
    const cancel = clock.schedule(lookupMs, () => late.abort())
    const startMs = clock.elapsed()
    const found: Timed<Peer>[] = []
    try {
      const signal = AbortSignal.any([outer, late.signal])
      for await (const peer of router.lookup(keyOf(image), { count: mostLookedUp, signal }))
        found.push({ value: peer, ms: clock.elapsed() - startMs })
    } finally {
      cancel()
    }
    return found
  }

  /** The manifest, and what is named in it, from other nodes; nothing is kept. */
  async #pull(image: ImageName, signal: AbortSignal): Promise<readonly Timed<Part>[]> {
    const parts: Timed<Part>[] = []
    const { registry, repository } = image
    const first = { route: 'manifests', method: 'GET', registry, repository, ...namedBy(image) } as const
    const waiting: Parameters<Exchange['fetch']>[0][] = [first]
    const seen = new Set<string>()
    for (let wanted = waiting.shift(); wanted !== undefined && parts.length < mostLookedUp; wanted = waiting.shift()) {
      const startMs = this.#options.clock.elapsed()
      const found = await this.#options.exchange.fetch(wanted, signal)
      // Elsewhere is only what a data plane asked for.
      if (found.outcome !== 'found') continue
      const isManifest = wanted.route === 'manifests'
      const kept: Buffer[] = []
      let size = 0
      for await (const chunk of found.body ?? []) {
        const bytes = Buffer.from(chunk)
        size += bytes.length
        if (isManifest && size <= largestManifest) kept.push(bytes)
      }
      parts.push({
        value: { digest: found.digest, mediaType: found.mediaType, size },
        ms: this.#options.clock.elapsed() - startMs,
      })
      if (!isManifest) continue
      for (const { route, digest } of namedIn(Buffer.concat(kept))) {
        if (seen.has(digest)) continue
        seen.add(digest)
        waiting.push({ route, method: 'GET', registry, repository, digest })
      }
    }
    return parts
  }
}

const largestManifest = 4_194_304

interface Timed<Value> {
  readonly value: Value
  readonly ms: number
}

interface Part {
  readonly digest: string
  readonly mediaType: string
  readonly size: number
}

function keyOf({ registry, repository, tag = '', digest }: ImageName): string {
  return digest ?? tagKey({ registry, repository, tag })
}

function namedBy({ tag, digest }: ImageName) {
  return digest === undefined ? { tag: tag ?? '' } : { digest }
}

function namedIn(bytes: Buffer) {
  const parsed: unknown = bytes.length === 0 ? undefined : JSON.parse(bytes.toString('utf8'))
  const fields = typeof parsed === 'object' && parsed !== null ? parsed : {}
  const list = (key: string) => {
    const value: unknown = Reflect.get(fields, key)
    return Array.isArray(value) ? value : value === undefined ? [] : [value]
  }
  const digests = (values: readonly unknown[]) =>
    values.flatMap(value => {
      const text: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'digest') : undefined
      return typeof text === 'string' ? (parseDigest(text) ?? []) : []
    })
  return [
    ...digests(list('manifests')).map(digest => ({ route: 'manifests' as const, digest })),
    ...digests([...list('config'), ...list('layers')]).map(digest => ({ route: 'blobs' as const, digest })),
  ]
}

function indexPage(id: string): string {
  return page('Ballast mirror', [
    `<p>libp2p id <code>${escaped(id)}</code></p>`,
    '<p><a href="/debug/web/stats">Statistics</a></p>',
    '<form action="/debug/web/measure"><label>Image <input name="image" size="60"></label> <button>Measure</button></form>',
  ])
}

function measurePage(image: ImageName, found: readonly Timed<Peer>[], pulled: readonly Timed<Part>[]): string {
  const bytes = pulled.reduce((sum, { value }) => sum + value.size, 0)
  const ms = pulled.reduce((sum, part) => sum + part.ms, 0)
  return page(`Measure ${keyOf(image)}`, [
    found.length === 0 ? '<p>no node was found</p>' : '',
    table(
      ['node', 'addresses', 'found after'],
      found.map(({ value, ms: after }) => [value.id, value.hosts.join(' '), seconds(after)]),
    ),
    table(
      ['content', 'type', 'bytes', 'took'],
      pulled.map(({ value, ms: took }) => [value.digest, value.mediaType, String(value.size), seconds(took)]),
    ),
    pulled.length === 0 ? '' : `<p>${bytes} bytes in ${seconds(ms)}</p>`,
  ])
}

function quarantinedTable({ quarantined }: ExchangeState, nowMs: number): string {
  if (quarantined.length === 0) return ''
  return table(
    ['left alone', 'for'],
    quarantined.map(({ peer, digest, untilMs }) => [
      [peer, digest].filter(part => part !== undefined).join(' '),
      seconds(Math.max(0, untilMs - nowMs)),
    ]),
  )
}
