// What was written in a version that a webhook converts, on its way to the store.
import type { KubeObject } from '#kube/objects/objects.ts'
import { inVersion } from '../answers/versions.ts'
import type { ApiServer } from '../api-server.ts'
import type { ResourceType } from '../resource-type.ts'
import type { WriteOptions } from '../write-options.ts'
import type { WritePipeline } from '../write-pipeline.ts'
import { readyIn } from './conversions.ts'

interface ConvertedWrite {
  readonly server: ApiServer
  readonly writes: WritePipeline
  /** The type in whose version it is stored. */
  readonly storage: ResourceType
  /** What is stored now. */
  readonly existing: KubeObject | undefined
  readonly options: WriteOptions
}

/** Has `object` converted to what is stored, and stores it. Undefined where `existing` is not what is there any more. */
export async function commitConverted(
  object: KubeObject,
  { server, writes, storage, existing, options }: ConvertedWrite,
): Promise<KubeObject | undefined> {
  await readyIn(server, storage, [object])
  const { namespace, name } = object.metadata
  if (server.store.get(storage.key, namespace, name) !== existing) return undefined
  const stored = inVersion(storage, object)
  return options.isDryRun === true ? stored : writes.commit(storage, stored)
}
