// The policy of the process: read from its file, checked against the cluster's PriorityClasses.
import type { Api } from '#kube/client/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { readPolicy } from '../policy/read-policy.ts'

export type PolicyReading = ReturnType<typeof readPolicy>

const priorityClasses: GroupVersionResource = { group: 'scheduling.k8s.io', version: 'v1', resource: 'priorityclasses' }

interface PriorityClass extends KubeObject {
  readonly value?: number
}

/** The policy that `text` says. Only the classes that it names are asked for. @throws what the API server says, but for a class that is not there */
export async function checkedPolicy(
  text: string,
  { file, api, signal }: { readonly file: string; readonly api: Api; readonly signal: AbortSignal },
): Promise<PolicyReading> {
  const named = new Set<string>()
  const first = readPolicy(text, {
    file,
    priorityOf: className => {
      named.add(className)
      return 0
    },
  })
  if (named.size === 0) return first
  const values = new Map<string, number>()
  for (const name of named) {
    try {
      const found = await api.resource<PriorityClass>(priorityClasses).get(name, { signal })
      values.set(name, found.value ?? 0)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
  return readPolicy(text, { file, priorityOf: className => values.get(className) })
}
