// A cluster put back as the state of an earlier process has it: nothing is completed, judged or made anew.
import type { ApiServer } from '../api/api-server.ts'
import { establish } from '../api/custom/custom-resources.ts'
import { itemsAt, listAt, textAt } from '../json-value.ts'
import { type LoadReport, signedKinds } from '../load.ts'
import type { TwinState } from './twin-state.ts'

const absentName = 'absent-owners'
const definitions = 'customresourcedefinitions.apiextensions.k8s.io'

/** Keeps what of a load no object says. */
export function keepReport(state: TwinState, { absentOwners }: LoadReport): void {
  state.keep(absentName, JSON.stringify([...absentOwners]))
}

/** Fills an empty store. @throws InputError where the state is broken */
export function restoreObjects(server: ApiServer, state: TwinState, onProgress: (done: number) => void): LoadReport {
  let loaded = 0
  for (const { resource, object } of state.objects()) {
    onProgress(loaded++)
    server.store.restore(resource, object)
    const { uid } = object.metadata
    if (uid !== undefined) server.uids.loaded.add(uid)
    for (const owner of itemsAt(object, 'metadata', 'ownerReferences')) server.uids.loaded.add(textAt(owner, 'uid') ?? '')
    if (uid !== undefined && signedKinds.has(resource) && listAt(object, 'metadata', 'managedFields').length === 0)
      server.unsigned.add(uid)
  }
  for (const { resource, ...change } of state.history()) server.store.remember(resource, change)
  for (const definition of server.store.list(definitions)) establish(server, definition)
  const absent: unknown = JSON.parse(state.known(absentName) ?? '[]')
  return { loaded, problems: [], absentOwners: new Set(Array.isArray(absent) ? absent.map(String) : []) }
}
