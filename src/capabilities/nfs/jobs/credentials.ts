// What Secrets hold for the driver. It is read for one call, goes to the driver alone, and stands in no sentence.

import type { Api } from '#kube/client/api.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isOutside, OutsideError } from '#kube/outside-error.ts'
import type { SecretReference } from './storage-kinds.ts'

export type Credentials = ReadonlyMap<string, string>
export const noCredentials: Credentials = new Map()

interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, string>>
}

/** Without a reference nothing is read. @throws OutsideError where there is no such Secret, or one whose values are no text */
export async function credentialsOf(api: Api, reference: SecretReference | undefined, signal: AbortSignal): Promise<Credentials> {
  if (reference === undefined) return noCredentials
  const { name, namespace } = reference
  try {
    const { data = {} } = await api.resource<Secret>(builtIn.secrets).get(name, { namespace, signal })
    return new Map(Object.entries(data).map(([key, value]) => [key, textOf(key, value)]))
  } catch (error) {
    signal.throwIfAborted()
    if (!isOutside(error)) throw error
    throw new OutsideError(`error getting secret ${name} in namespace ${namespace}: ${messageOf(error)}`)
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** @throws OutsideError naming the key: gRPC carries no other bytes in a text */
function textOf(key: string, value: string): string {
  try {
    return utf8.decode(Buffer.from(value, 'base64'))
  } catch {
    // The decoder's own words say nothing of where.
    throw new OutsideError(`the value of key ${key} is no text in UTF-8, and a driver can be told nothing else`)
  }
}
