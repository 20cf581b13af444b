// What keeps sources of copies and restores from being deleted is taken away again once no claim waits for them.

import { removeFinalizer } from '#kube/client/finalizers.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { messageOf } from '#kube/log.ts'
import { isConflict, isForbidden, isNotFound } from '#kube/objects/status.ts'
import { isOutside } from '#kube/outside-error.ts'
import { again, type DriverContext, done, type Worked } from '../job.ts'
import { type Snapshot, snapshots } from '../snapshot/snapshot-kinds.ts'
import {
  type Claim,
  claimKind,
  claims,
  cloningFinalizer,
  hasFinalizer,
  isBeingDeleted,
  snapshotSourceFinalizer,
} from '../storage-kinds.ts'
import { waitsForSnapshot } from './data-source.ts'

/** Whether a claim is held by us, and goes as soon as no copy of it is being made. */
export const isHeldSource = (claim: Claim): boolean => isBeingDeleted(claim) && hasFinalizer(claim, cloningFinalizer)

/** The claim that is being filled from this one, if any. Pure. */
function copyUnderWay(source: Claim, others: Iterable<Claim>): Claim | undefined {
  for (const claim of others) {
    const { dataSource } = claim.spec
    if (dataSource?.kind === claimKind && dataSource.name === source.metadata.name && claim.status?.phase === 'Pending')
      return claim
  }
  return undefined
}

/** Lets a claim go that is to be deleted, once no copy of it is being made. */
export async function releaseSource(
  key: string,
  informer: Informer<Claim>,
  context: DriverContext,
  signal: AbortSignal,
): Promise<Worked> {
  const [namespace = '', name = ''] = key.split('/')
  const source = informer.store.get(namespace, name)
  if (source === undefined || !isHeldSource(source)) return done
  const copy = copyUnderWay(source, informer.store.list(namespace))
  if (copy !== undefined) return again(`PVC '${copy.metadata.name}' is in 'Pending' state, cloning in progress`)
  await removeFinalizer(context.api.resource<Claim>(claims), source, cloningFinalizer, { signal })
  return done
}

/** Snapshots (`namespace/name`) that claims wait for. Pure. */
function awaitedSnapshots(all: Iterable<Claim>): ReadonlySet<string> {
  const awaited = new Set<string>()
  for (const claim of all) {
    const name = waitsForSnapshot(claim)
    if (name !== undefined) awaited.add(`${claim.metadata.namespace}/${name}`)
  }
  return awaited
}

/** Looks again and again for snapshots that bear our finalizer though no claim waits for them: whoever put it there was killed, or the claim is gone. */
export async function sweepSnapshots(
  { api, clock, log }: DriverContext,
  { everyMs, informer }: { readonly everyMs: number; readonly informer: Informer<Claim> },
  signal: AbortSignal,
): Promise<void> {
  const ofSnapshots = api.resource<Snapshot>(snapshots)
  for (;;) {
    try {
      for await (const { items } of ofSnapshots.pages({ metadataOnly: true, signal })) {
        const held = items.filter(snapshot => hasFinalizer(snapshot, snapshotSourceFinalizer))
        // Claims are looked at after the snapshots: whoever holds one for a claim saw the claim before.
        const awaited = held.length === 0 ? new Set<string>() : awaitedSnapshots(informer.store.list())
        for (const snapshot of held) {
          const { namespace, name } = snapshot.metadata
          if (awaited.has(`${namespace}/${name}`)) continue
          await removeFinalizer(ofSnapshots, snapshot, snapshotSourceFinalizer, { signal })
          log.info({ snapshot: `${namespace}/${name}` }, 'a snapshot that no claim waits for is let go')
        }
      }
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      // The kinds need not be there, nor the right: upstream does without either.
      const isUsual = isNotFound(error) || isForbidden(error) || isConflict(error)
      log[isUsual ? 'debug' : 'warn']({ why: messageOf(error) }, 'snapshots were not looked through for finalizers of ours')
    }
    await clock.after(everyMs, signal)
  }
}
