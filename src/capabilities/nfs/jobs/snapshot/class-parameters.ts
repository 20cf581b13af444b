// The parameters of a class of snapshots: which are for the driver, which name Secrets. Pure.

import { type Outcome, refused, taken } from '../outcome.ts'
import { type SecretKeys, secretReference } from '../secret-references.ts'
import { reservedPrefix, type SecretReference } from '../storage-kinds.ts'
import type { Content, Snapshot } from './snapshot-kinds.ts'

type Parameters = Readonly<Record<string, string>>

const keysOf = (title: string, stem: string): SecretKeys => ({
  title,
  name: `${reservedPrefix}${stem}-secret-name`,
  namespace: `${reservedPrefix}${stem}-secret-namespace`,
})
const snapshotter = keysOf('Snapshotter', 'snapshotter')
const lister = keysOf('SnapshotterList', 'snapshotter-list')
const known: ReadonlySet<string> = new Set(
  [
    snapshotter,
    lister,
    keysOf('GroupSnapshotter', 'group-snapshotter'),
    keysOf('GroupSnapshotterGet', 'group-snapshotter-get'),
  ].flatMap(({ name, namespace }) => [name, namespace]),
)

/** The Secret for making and deleting a snapshot. */
export function snapshotterSecret(
  parameters: Parameters,
  { contentName, snapshot }: { readonly contentName: string; readonly snapshot: Snapshot },
): Outcome<SecretReference | undefined> {
  const { name, namespace = '' } = snapshot.metadata
  const ofNamespace = { 'volumesnapshotcontent.name': contentName, 'volumesnapshot.namespace': namespace }
  return secretReference(snapshotter, parameters, { ofNamespace, ofName: { ...ofNamespace, 'volumesnapshot.name': name } })
}

/** The Secret for looking a snapshot up. */
export function listSecret(parameters: Parameters, contentName: string): Outcome<SecretReference | undefined> {
  const tokens = { 'volumesnapshotcontent.name': contentName }
  return secretReference(lister, parameters, { ofNamespace: tokens, ofName: tokens })
}

/** What the driver is told of a class, and with `content` which snapshot it is for. */
export function driverParameters(parameters: Parameters, content: Content | undefined): Outcome<ReadonlyMap<string, string>> {
  const unknown = Object.keys(parameters).find(key => key.startsWith(reservedPrefix) && !known.has(key))
  if (unknown !== undefined)
    return refused(
      `failed to remove CSI Parameters of prefixed keys: found unknown parameter key "${unknown}" with reserved namespace ${reservedPrefix}`,
    )
  const own = Object.entries(parameters).filter(([key]) => !key.startsWith(reservedPrefix))
  if (content === undefined) return taken(new Map(own))
  const { name = '', namespace = '' } = content.spec.volumeSnapshotRef
  return taken(
    new Map([
      ...own,
      [`${reservedPrefix}volumesnapshot/name`, name],
      [`${reservedPrefix}volumesnapshot/namespace`, namespace],
      [`${reservedPrefix}volumesnapshotcontent/name`, content.metadata.name],
    ]),
  )
}
