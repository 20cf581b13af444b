// Prepares claims for the kubelet and takes that back. What the API server says is asked side by side; what is decided and written goes one after the
// other. One claim's trouble is its own.

import { isDeepStrictEqual } from 'node:util'
import type { ResourceClaim } from '#cluster/devices/device-shapes.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { isOutside } from '#kube/outside-error.ts'
import { type NamedClaim, readClaim } from './claim.ts'
import type { DraDevice } from './dra-devices.ts'
import { isClaimUid, type PreparedClaim, type PreparedClaims } from './prepared-claims.ts'

/** The kubelet gives up after 45 s. */
const askLimitMs = 30_000
/** A pod has far fewer claims. */
export const mostClaims = 256
const longestError = 1_024
const longestName = 253

interface ClaimServiceOptions {
  readonly driver: string
  readonly node: string
  readonly cdiKind: string
  readonly api: Api
  readonly store: PreparedClaims
  readonly clock: Clock
  readonly log: Log
  /** What there is now, by name. */
  readonly devices: () => ReadonlyMap<string, DraDevice>
  /** Whether runtimes know a device by its name for CDI. */
  readonly isKnown: (cdiName: string) => boolean
  /** Called after each claim that could not be prepared. */
  readonly onRefused: () => void
}

/** For a claim: what was prepared, or why not. */
interface Preparation {
  readonly claim?: PreparedClaim
  readonly error: string
}

export class ClaimService {
  readonly #options: ClaimServiceOptions
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: ClaimServiceOptions) {
    this.#options = options
  }

  /** By UID: each claim once, prepared or with the reason. */
  async prepare(claims: readonly NamedClaim[], outer: AbortSignal): Promise<ReadonlyMap<string, Preparation>> {
    const distinct = new Map(claims.map(claim => [claim.uid, claim]))
    const asked = await Promise.all(Array.from(distinct.values(), async claim => [claim, await this.#ask(claim, outer)] as const))
    return await this.#oneByOne(() => new Map(asked.map(([claim, found]) => [claim.uid, this.#prepared(claim, found)])))
  }

  /** By UID: empty where nothing is prepared for the claim any more, else why. Claims that nobody knows are done. */
  async unprepare(claims: readonly NamedClaim[]): Promise<ReadonlyMap<string, string>> {
    return await this.#oneByOne(() => new Map(claims.map(({ uid }) => [uid, this.#unprepared(uid)])))
  }

  /** The claim as the server has it, or why that is not known. */
  async #ask({ namespace, name, uid }: NamedClaim, outer: AbortSignal): Promise<ResourceClaim | Unread> {
    if (!isClaimUid(uid) || !isName(namespace) || !isName(name))
      return { why: 'the kubelet names no claim: namespace, name and UID are to be such', isGone: true }
    const { api, clock } = this.#options
    const late = new AbortController()
    const cancel = clock.schedule(askLimitMs, () =>
      late.abort(new DOMException(`the API server did not answer in ${askLimitMs / 1_000} s`, 'TimeoutError')),
    )
    try {
      const signal = AbortSignal.any([outer, late.signal])
      return await api.resource<ResourceClaim>(builtIn.resourceclaims).get(name, { namespace, signal })
    } catch (error) {
      if (isNotFound(error)) return { why: `there is no claim ${namespace}/${name}`, isGone: true }
      if (!isOutside(error) && !late.signal.aborted && !outer.aborted) throw error
      return { why: `claim ${namespace}/${name} cannot be read: ${messageOf(error)}`, isGone: false }
    } finally {
      cancel()
    }
  }

  #prepared(asked: NamedClaim, found: ResourceClaim | Unread): Preparation {
    const { log, driver, store, isKnown, onRefused } = this.#options
    const { namespace, name, uid } = asked
    const refused = (why: string): Preparation => {
      log.warn({ driver, claim: `${namespace}/${name}`.slice(0, longestName), why }, 'a claim cannot be prepared')
      onRefused()
      return { error: why.slice(0, longestError) }
    }
    try {
      const before = store.get(uid)
      const wanted = this.#wanted(asked, found, before)
      if (typeof wanted === 'string') return refused(wanted)
      const unknown = wanted.devices.flatMap(({ cdi }) => cdi).find(id => !isKnown(id))
      if (unknown !== undefined) return refused(`the file for CDI of ${unknown} cannot be written`)
      if (!isDeepStrictEqual(before, wanted)) {
        store.put(wanted)
        log.info(
          { driver, claim: `${namespace}/${name}`, devices: wanted.devices.map(({ device }) => device) },
          'a claim is prepared',
        )
      }
      return { claim: wanted, error: '' }
    } catch (error) {
      if (!isOutside(error)) throw error
      return refused(`what is prepared for claim ${namespace}/${name} cannot be kept: ${messageOf(error)}`)
    }
  }

  /** A claim that was prepared already is not lost by a server that says nothing. */
  #wanted(asked: NamedClaim, found: ResourceClaim | Unread, before: PreparedClaim | undefined): PreparedClaim | string {
    const { driver, node, cdiKind, devices, store } = this.#options
    if (isUnread(found)) return found.isGone || before === undefined ? found.why : before
    return readClaim(asked, found, { driver, node, cdiKind, devices: devices(), others: store.all() })
  }

  #unprepared(uid: string): string {
    const { store, log, driver } = this.#options
    try {
      const claim = store.get(uid)
      store.remove(uid)
      if (claim !== undefined) log.info({ driver, claim: `${claim.namespace}/${claim.name}` }, 'a claim is given back')
      return ''
    } catch (error) {
      if (!isOutside(error)) throw error
      const why = `what is prepared for claim ${uid} cannot be taken back: ${messageOf(error)}`
      log.warn({ driver, why }, 'a claim cannot be given back')
      return why.slice(0, longestError)
    }
  }

  #oneByOne<T>(work: () => T): Promise<T> {
    const mine = this.#last.then(work)
    // The caller hears of it; the next one begins all the same.
    this.#last = mine.catch(() => undefined)
    return mine
  }
}

interface Unread {
  readonly why: string
  /** It is not there, or never was: what was prepared for it does not help. */
  readonly isGone: boolean
}

const isUnread = (found: ResourceClaim | Unread): found is Unread => 'isGone' in found

const isName = (text: string): boolean => text.length <= longestName && /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(text)
