// The pins of kubelets, in one ConfigMap of which every replica writes: nobody is believed before it is pinned there, or is what is pinned.
import type { X509Certificate } from 'node:crypto'
import type { Check } from '#coordination/capability.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { at } from '#kube/objects/object-fields.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isAlreadyExists, isConflict, isNotFound } from '#kube/objects/status.ts'
import { OutsideError } from '#kube/outside-error.ts'
import {
  decidePins,
  forgetLine,
  judgePin,
  keyOf,
  type PinnedNode,
  type PinOutcome,
  type Pins,
  pinAt,
  pinsName,
  type SeenKey,
} from './pin-rules.ts'

/** A kubelet's key is not the one that is pinned, or cannot be pinned. */
export class PinRefused extends OutsideError {
  override readonly name = 'PinRefused'
  readonly remedy: string | undefined
  constructor(message: string, remedy?: string) {
    super(message)
    this.remedy = remedy
  }
}

interface KubeletPinsOptions {
  readonly api: Api
  /** Where the ConfigMap lies. */
  readonly namespace: string
  /** All nodes that there are; undefined while that is not known. */
  readonly nodes: () => Iterable<string> | undefined
  readonly clock: Clock
  readonly log: Log
}

const triesToWrite = 8
const requestMs = 10_000
/** After a failure nobody is asked for so long. */
const restMs = 5_000
/** Changes by hand are seen in so long. */
const lookEveryMs = 60_000
/** A node that is gone for so long is forgotten. */
const forgetMs = 3_600_000
const namedNodes = 3
const fieldManager = 'ballast-metrics'

interface Waiting extends SeenKey {
  readonly settle: (outcome: PinOutcome | PinRefused) => void
}

export class KubeletPins {
  readonly #options: KubeletPinsOptions
  /** As last read or written; undefined before that. */
  #pins: Pins | undefined
  /** By which pin a node's connection was believed. */
  readonly #believed = new Map<string, string>()
  readonly #refused = new Map<string, string>()
  readonly #goneSince = new Map<string, number>()
  #waiting: Waiting[] = []
  #round: Promise<void> | undefined
  #failure: { readonly refusal: PinRefused; readonly atMs: number } | undefined
  #onDoubt: (node: string) => void = () => undefined

  constructor(options: KubeletPinsOptions) {
    this.#options = options
  }

  /** Told of nodes whose pin is another than the one that their connection was believed by. */
  onDoubt(listener: (node: string) => void): void {
    this.#onDoubt = listener
  }

  /** Resolves where `certificate` is pinned for the node, or now is. @throws PinRefused where it is not to be believed */
  async judge(node: PinnedNode, certificate: X509Certificate): Promise<void> {
    const key = keyOf(certificate)
    const known = pinAt(this.#pins, node.name)
    const outcome = known !== undefined && judgePin(known, node, key) === 'pinned' ? 'pinned' : await this.#settled({ node, key })
    if (outcome === 'pinned') {
      const pin = pinAt(this.#pins, node.name)
      if (pin !== undefined) this.#believed.set(node.name, pin)
      this.#refused.delete(node.name)
      return
    }
    const refusal = outcome instanceof PinRefused ? outcome : this.#refusalOf(outcome, node.name)
    this.#refused.set(node.name, outcome instanceof PinRefused ? 'not written' : outcome)
    throw refusal
  }

  forget(node: string): void {
    this.#believed.delete(node)
    this.#refused.delete(node)
  }

  /** Looks now and then for pins that were changed by hand, and forgets those of nodes that are gone. @throws `signal.reason` */
  async run(signal: AbortSignal): Promise<never> {
    const { clock } = this.#options
    for (;;) {
      await this.#begin()
      await clock.after(lookEveryMs, signal)
    }
  }

  check(): Check {
    const refused = [...this.#refused].map(([node, why]) => `${node}: ${why}`)
    const rest = refused.length > namedNodes ? [`${refused.length - namedNodes} more`] : []
    const why = [...refused.slice(0, namedNodes), ...rest]
    const trouble = this.#failure?.refusal.message
    const state = [`${Object.keys(this.#pins ?? {}).length} pinned`, ...(trouble === undefined ? [] : [trouble]), ...why].join(
      ', ',
    )
    return { name: 'pins', ok: refused.length === 0 && trouble === undefined, isGating: false, state }
  }

  #refusalOf(outcome: Exclude<PinOutcome, 'pinned'>, node: string): PinRefused {
    const { namespace } = this.#options
    const where = `ConfigMap ${namespace}/${pinsName}`
    switch (outcome) {
      case 'changed':
        return new PinRefused(
          `the kubelet shows another key than ${where} has of it`,
          `find out why; if it is to be believed: ${forgetLine(namespace, node)}`,
        )
      case 'rubbish':
        return new PinRefused(`what ${where} has of it is no pin`, `look at it, then: ${forgetLine(namespace, node)}`)
      case 'other-node':
        return new PinRefused('the Node object is another than the one that was seen here: it is pinned when that is known')
      case 'full':
        return new PinRefused(
          `${where} is full`,
          'let the cluster sign its kubelets’ certificates (serverTLSBootstrap) in place of pins',
        )
    }
  }

  #settled(seen: SeenKey): Promise<PinOutcome | PinRefused> {
    const { clock } = this.#options
    if (this.#failure !== undefined && clock.elapsed() - this.#failure.atMs < restMs)
      return Promise.resolve(this.#failure.refusal)
    const { promise, resolve } = Promise.withResolvers<PinOutcome | PinRefused>()
    this.#waiting.push({ ...seen, settle: resolve })
    void this.#begin()
    return promise
  }

  /** One round at a time, with all that wait; those that come meanwhile have the next. Never rejects. */
  #begin(): Promise<void> {
    this.#round ??= this.#rounds().finally(() => {
      this.#round = undefined
    })
    return this.#round
  }

  async #rounds(): Promise<void> {
    do {
      const waiting = this.#waiting
      this.#waiting = []
      const outcomes = await this.#decided(waiting)
      for (const [index, { settle }] of waiting.entries()) settle(outcomes[index] ?? 'other-node')
    } while (this.#waiting.length > 0)
  }

  async #decided(seen: readonly SeenKey[]): Promise<readonly (PinOutcome | PinRefused)[]> {
    const { clock, log, namespace } = this.#options
    try {
      const outcomes = await this.#written(seen)
      this.#failure = undefined
      return outcomes
    } catch (error) {
      const message = `ConfigMap ${namespace}/${pinsName} cannot be read or written (${messageOf(error)}): kubelets without a pin are not asked`
      const remedy = `grant get and update on it, and create on configmaps, in ${namespace}`
      if (this.#failure === undefined)
        log.warn({ why: messageOf(error), remedy }, 'pins of kubelets are not kept: those without are not asked')
      const refusal = new PinRefused(message, remedy)
      this.#failure = { refusal, atMs: clock.elapsed() }
      return seen.map(({ node, key }) => (judgePin(pinAt(this.#pins, node.name), node, key) === 'pinned' ? 'pinned' : refusal))
    }
  }

  /** @throws what the API server answered */
  async #written(seen: readonly SeenKey[]): Promise<readonly PinOutcome[]> {
    const { api, clock, namespace } = this.#options
    const configMaps = api.resource<KubeObject>(builtIn.configmaps)
    const late = new AbortController()
    const cancel = clock.schedule(requestMs, () =>
      late.abort(new DOMException(`no answer in ${requestMs / 1_000} s`, 'TimeoutError')),
    )
    const options = { signal: late.signal, namespace, fieldManager }
    try {
      for (let attempt = 1; ; attempt++) {
        const object = await configMaps.get(pinsName, options).catch(absent)
        const before = textsAt(object)
        this.#take(before)
        const liveUids = await this.#liveUids(before, seen, late.signal)
        const { pins, isChanged, outcomes } = decidePins(before, seen, liveUids, this.#goneOf(before))
        if (!isChanged) return outcomes
        try {
          await (object === undefined
            ? configMaps.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: pinsName }, data: pins }, options)
            : configMaps.update({ ...object, data: pins }, options))
          this.#take(pins)
          return outcomes
        } catch (error) {
          if ((!isConflict(error) && !isAlreadyExists(error)) || attempt === triesToWrite) throw error
          // Another replica was faster: one of all that write gets on each time.
        }
      }
    } finally {
      cancel()
    }
  }

  /** Nodes that seem made anew are read, since our watch may be behind, or another's. */
  async #liveUids(pins: Pins, seen: readonly SeenKey[], signal: AbortSignal): Promise<ReadonlyMap<string, string | undefined>> {
    const nodes = this.#options.api.resource<Node>(builtIn.nodes)
    const found = new Map<string, string | undefined>()
    for (const { node, key } of seen)
      if (judgePin(pinAt(pins, node.name), node, key) === 'renewed')
        found.set(node.name, (await nodes.get(node.name, { signal }).catch(absent))?.metadata.uid)
    return found
  }

  #take(pins: Pins): void {
    this.#pins = pins
    for (const [node, pin] of this.#believed) {
      if (pinAt(pins, node) === pin) continue
      this.#believed.delete(node)
      this.#onDoubt(node)
    }
  }

  #goneOf(pins: Pins): ReadonlySet<string> {
    const nodes = this.#options.nodes()
    if (nodes === undefined) return new Set()
    const now = this.#options.clock.elapsed()
    const there = new Set(nodes)
    for (const name of this.#goneSince.keys())
      if (there.has(name) || pinAt(pins, name) === undefined) this.#goneSince.delete(name)
    for (const name of Object.keys(pins)) if (!there.has(name) && !this.#goneSince.has(name)) this.#goneSince.set(name, now)
    return new Set([...this.#goneSince].filter(([, sinceMs]) => now - sinceMs >= forgetMs).map(([name]) => name))
  }
}

/** What is not there is nothing; @throws whatever else it is */
function absent(error: unknown): undefined {
  if (isNotFound(error)) return undefined
  throw error
}

function textsAt(object: KubeObject | undefined): Pins {
  return Object.fromEntries(Object.entries(Object(at(object, 'data'))).map(([name, text]) => [name, String(text)]))
}
