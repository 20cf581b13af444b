// Plays the scenarios of `test/nfs-claim-scenarios.ts` in a site and tells what they came to: objects, Events, and what lies on the servers, without what is of
// this run (uids, times, versions).

import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  type ClaimKind,
  type ClaimOutcome,
  type ClaimScenario,
  type ClaimStep,
  claimKinds,
  type EventSeen,
  type Ref,
} from '../../nfs-claims.ts'
import { treeLines } from '../../nfs-export-tree.ts'
import type { ApiObject } from '../control-plane/api-client.ts'
import { apiPath } from '../control-plane/api-client.ts'
import { until } from '../mirror/laboratory/program.ts'
import type { ClaimsPlane } from './claims-site.ts'

const awaitLimitMs = 90_000
/** Nothing new for so long: it has come to its end. */
const quietMs = 2_500
const lanes = 6

/** @throws AggregateError naming the scenarios that did not come to their end. In lanes, then those that must be alone; in the order of `scenarios`. */
export async function playClaims(
  site: ClaimsPlane,
  scenarios: readonly ClaimScenario[],
  told: (outcome: ClaimOutcome) => void = () => undefined,
): Promise<readonly ClaimOutcome[]> {
  const outcomes = new Map<string, ClaimOutcome>()
  const failures: unknown[] = []
  const lane = async (left: ClaimScenario[]) => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) {
      try {
        const outcome = await new Played(site, one.name).outcome(one.steps)
        outcomes.set(one.name, outcome)
        told(outcome)
      } catch (cause) {
        // The others are played all the same: which of them come to nothing says why.
        failures.push(cause)
      }
    }
  }
  const shared = scenarios.filter(({ alone }) => alone !== true)
  await Promise.all(Array.from({ length: lanes }, () => lane(shared)))
  await lane(scenarios.filter(({ alone }) => alone === true))
  if (failures.length > 0) throw new AggregateError(failures, failures.map(messageWithCause).join('\n'))
  return scenarios.flatMap(({ name }) => outcomes.get(name) ?? [])
}

const messageWithCause = (failure: unknown): string =>
  failure instanceof Error
    ? `${failure.message}: ${failure.cause instanceof Error ? failure.cause.message : ''}`
    : String(failure)

/** What they say depends on when they last looked, and it is not they who are recorded. */
const ofKubernetes = ['persistentvolume-controller', 'volume_expand']

const readKinds = ['PersistentVolumeClaim', 'PersistentVolume', 'VolumeSnapshot', 'VolumeSnapshotContent'] as const
type Fields = Readonly<Record<string, unknown>>

class Played {
  readonly #site: ClaimsPlane
  readonly #title: string
  readonly #name: string
  /** What uids are called in outcomes: the object that has it. */
  readonly #uids = new Map<string, string>()
  /** Names of volumes and contents by those of their claims and snapshots: they outlive them in later steps. */
  readonly #derived = new Map<string, string>()

  constructor(site: ClaimsPlane, name: string) {
    this.#site = site
    this.#title = name
    // Words such as `snapshot` are in many texts: in these the name is found again.
    this.#name = `case-${name}`
  }

  async outcome(steps: readonly ClaimStep[]): Promise<ClaimOutcome> {
    const { client } = this.#site.plane
    this.#site.nfs.addShare(this.#name, 'kubernetes')
    await client.want('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: this.#name } })
    for (const [index, step] of steps.entries()) {
      await this.#play(step).catch((cause: unknown) => {
        throw new Error(`${this.#name}, step ${index + 1}, ${JSON.stringify(step)}`, { cause })
      })
    }
    const { objects, events } = await this.#settled()
    return {
      name: this.#title,
      // The server orders them by names that are of chance.
      objects: objects.map(one => this.#shown(one) as Fields).toSorted((one, other) => (orderOf(one) < orderOf(other) ? -1 : 1)),
      events: this.#seen(events),
      exports: treeLines(join(this.#site.nfs.exports, this.#name))
        .map(line => this.#named(line))
        .toSorted(),
    }
  }

  async #play(step: ClaimStep): Promise<void> {
    const { client } = this.#site.plane
    if ('tell' in step) this.#site.nfs.tell(this.#name, step.tell)
    else if ('plant' in step) {
      for (const [path, text] of Object.entries(step.plant)) {
        const file = join(this.#site.nfs.exports, this.#name, 'kubernetes', await this.#filled(path))
        mkdirSync(dirname(file), { recursive: true })
        writeFileSync(file, text)
      }
    } else if ('sweep' in step)
      rmSync(join(this.#site.nfs.exports, this.#name, 'kubernetes', await this.#filled(step.sweep)), { recursive: true })
    else if ('create' in step) {
      const body = JSON.parse(await this.#filled(JSON.stringify(step.create)))
      await client.want('POST', this.#path(step.create.kind), body).then(made => this.#note(made))
    } else if ('patch' in step)
      await client.want('PATCH', await this.#pathOf(step.patch), JSON.parse(await this.#filled(JSON.stringify(step.with))))
    else if ('remove' in step) await client.want('DELETE', await this.#pathOf(step.remove))
    else await this.#await(step.await, step.is)
  }

  async #await(ref: Ref, is: string): Promise<void> {
    const path = await this.#pathOf(ref)
    const named = await this.#filled(ref)
    const attributes = await this.#filled(is)
    await until(
      `${named} is ${is}`,
      async () => {
        await this.#read()
        const { status, body } = await this.#site.plane.client.send('GET', path)
        if (is === 'gone') return status === 404
        if (status === 200) {
          const { status: said } = body as { readonly status?: Fields }
          if (said?.['phase'] === is || said?.[is] === true) return true
          if (said?.['currentVolumeAttributesClassName'] === attributes) return true
          if (is === 'unmodified' && said !== undefined && said['modifyVolumeStatus'] === undefined) return true
        }
        return (await this.#events()).some(event => event['reason'] === is && regardingOf(event) === named)
      },
      awaitLimitMs,
      100,
    )
  }

  /** Objects of this scenario; their uids are noted. */
  async #read(): Promise<readonly ApiObject[]> {
    const { client } = this.#site.plane
    const found: ApiObject[] = []
    for (const kind of readKinds) {
      const { apiVersion } = claimKinds[kind]
      const list = (await client.want('GET', apiPath({ apiVersion, kind }))) as unknown as {
        readonly items: readonly ApiObject[]
      }
      for (const item of list.items) {
        const object = { ...item, apiVersion, kind }
        if (!this.#isOurs(object)) continue
        this.#note(object)
        found.push(object)
      }
    }
    return found
  }

  #isOurs({ metadata, spec }: ApiObject): boolean {
    if (metadata.namespace !== undefined) return metadata.namespace === this.#name
    const { claimRef, volumeSnapshotRef } = (spec ?? {}) as {
      readonly claimRef?: { readonly namespace?: string }
      readonly volumeSnapshotRef?: { readonly namespace?: string }
    }
    return (claimRef ?? volumeSnapshotRef)?.namespace === this.#name || metadata.name === this.#name
  }

  #note({ kind, metadata, spec }: ApiObject): void {
    const uid = String(metadata['uid'])
    if (!this.#uids.has(uid)) this.#uids.set(uid, `uid-of-${kind}-${metadata.name}`.replace(this.#name, '$s'))
    const { claimRef, volumeSnapshotRef } = (spec ?? {}) as {
      readonly claimRef?: { readonly name?: string }
      readonly volumeSnapshotRef?: { readonly name?: string }
    }
    if (kind === 'PersistentVolume' && claimRef?.name !== undefined) this.#derived.set(`pv:${claimRef.name}`, metadata.name)
    if (kind === 'VolumeSnapshotContent' && volumeSnapshotRef?.name !== undefined)
      this.#derived.set(`content:${volumeSnapshotRef.name}`, metadata.name)
    // Names are made of these uids before the objects are there, and where they never come to be.
    if (kind === 'PersistentVolumeClaim') this.#derivedOnce(`pv:${metadata.name}`, `pvc-${uid}`)
    if (kind === 'VolumeSnapshot') this.#derivedOnce(`content:${metadata.name}`, `snapcontent-${uid}`)
  }

  #derivedOnce(key: string, name: string): void {
    if (!this.#derived.has(key)) this.#derived.set(key, name)
  }

  async #events(): Promise<readonly Fields[]> {
    const { client } = this.#site.plane
    const items: Fields[] = []
    // What regards no namespace is told in `default`.
    for (const namespace of [this.#name, 'default']) {
      const list = (await client.want('GET', `/api/v1/namespaces/${namespace}/events`)) as unknown as {
        readonly items: readonly Fields[]
      }
      items.push(...list.items)
    }
    const names = new Set([this.#name, ...this.#derived.values()])
    return items.filter(event => {
      const { namespace, name } = event['involvedObject'] as { readonly namespace?: string; readonly name?: string }
      return namespace === this.#name || (namespace === undefined && names.has(name ?? ''))
    })
  }

  /** What is tried again and again goes to and fro between states: of those, it is the one that was seen most often. */
  async #settled(): Promise<{ readonly objects: readonly ApiObject[]; readonly events: readonly Fields[] }> {
    const states = new Map<string, { readonly objects: readonly ApiObject[]; seen: number }>()
    let told = 0
    let since = performance.now()
    return await until(
      `${this.#name} has settled`,
      async () => {
        const objects = await this.#read()
        const events = await this.#events()
        const state = JSON.stringify(objects.map(one => this.#shown(one)))
        const count = this.#seen(events).length
        const known = states.get(state)
        if (known === undefined || count !== told) since = performance.now()
        if (known === undefined) states.set(state, { objects, seen: 1 })
        else known.seen += 1
        told = count
        if (performance.now() - since < quietMs) return undefined
        const [usual] = [...states.values()].toSorted((one, other) => other.seen - one.seen)
        return usual === undefined ? undefined : { objects: usual.objects, events }
      },
      awaitLimitMs,
      100,
    )
  }

  #path(kind: ClaimKind, name = ''): string {
    const { apiVersion, isNamespaced } = claimKinds[kind]
    return apiPath({ apiVersion, kind }, isNamespaced ? this.#name : '', name)
  }

  async #pathOf(ref: Ref): Promise<string> {
    const [kind = '', name = ''] = (await this.#filled(ref)).split('/')
    return this.#path(kind as ClaimKind, name)
  }

  async #filled(text: string): Promise<string> {
    if (text.includes('$pv:') || text.includes('$content:')) await this.#read()
    return text.replaceAll('$s', this.#name).replaceAll(/\$((?:pv|content):[a-z0-9-]+)/g, (_, key: string) => {
      const name = this.#derived.get(key)
      if (name === undefined) throw new Error(`there is no ${key}`)
      return name
    })
  }

  #named(text: string): string {
    let named = text
    // A volume's name has its claim's uid.
    for (let round = 0; round < 2; round += 1) for (const [uid, name] of this.#uids) named = named.replaceAll(uid, name)
    return named
      .replaceAll(this.#site.nfs.root, '$site')
      .replaceAll(this.#name, '$s')
      .replaceAll(/\d{13}-\d+-nfs\.csi\.k8s\.io/g, '$identity')
      .replaceAll(/less than the size \d+/g, 'less than the size $bytes')
  }

  #shown(value: unknown, key = ''): unknown {
    if (key === 'restoreSize') return '$bytes'
    if (key === 'uid' || typeof value === 'string')
      return /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(String(value)) ? '$time' : this.#named(String(value))
    if (key === 'creationTime' && typeof value === 'number') return '$nanoseconds'
    if (Array.isArray(value)) return value.map(one => this.#shown(one))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(
      Object.entries(value)
        .filter(([name]) => !['resourceVersion', 'managedFields', 'generation'].includes(name))
        .toSorted(([one], [other]) => (one < other ? -1 : 1))
        .map(([name, one]) => [name, this.#shown(one, name)]),
    )
  }

  #seen(events: readonly Fields[]): readonly EventSeen[] {
    const seen = new Map<string, EventSeen>()
    // client-go names an Event by its nanosecond; its times have seconds.
    const made = (event: Fields) =>
      String((event['metadata'] as Fields)['name'])
        .split('.')
        .at(-1) ?? ''
    for (const event of events.toSorted((one, other) => (made(one) < made(other) ? -1 : 1))) {
      const { component } = (event['source'] ?? {}) as { readonly component?: string }
      if (component !== undefined && ofKubernetes.includes(component)) continue
      const told: EventSeen = {
        type: String(event['type']),
        reason: String(event['reason']),
        message: this.#named(String(event['message'])),
        regarding: this.#named(regardingOf(event)),
        // A provisioner adds its host and an identifier of its own to its name.
        from: String(component || event['reportingComponent']).replace(/^(nfs\.csi\.k8s\.io)_.*/, '$1_$host'),
      }
      seen.set(JSON.stringify(told), told)
    }
    return [...seen.values()]
  }
}

const orderOf = ({ kind, metadata }: Fields) => `${kind}/${(metadata as Fields)['name']}`

function regardingOf(event: Fields): string {
  const { kind, name } = event['involvedObject'] as { readonly kind?: string; readonly name?: string }
  return `${kind}/${name}`
}
