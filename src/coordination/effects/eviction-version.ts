// Whether an API server evicts, and by which version of the group: asked before the first eviction by who takes an upstream's place.
import { type Fields, fieldsIn, isFields, listIn, textIn } from '#cluster/loose-fields.ts'
import type { Api } from '#kube/client/api.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { AnswerError } from '#kube/outside-error.ts'

/** The server's preferred version of the group `policy`; `undefined` where pods have no eviction. @throws what the server says */
export async function evictionVersion(api: Api, signal: AbortSignal): Promise<string | undefined> {
  const [group, core] = await Promise.all([found(api, '/apis/policy', signal), found(api, '/api/v1', signal)])
  const isServed = listIn(core, 'resources').some(
    resource => textIn(resource, 'name') === 'pods/eviction' && textIn(resource, 'kind') === 'Eviction',
  )
  return isServed ? textIn(fieldsIn(group, 'preferredVersion'), 'groupVersion') : undefined
}

/** Empty where the path is not served. */
async function found(api: Api, path: string, signal: AbortSignal): Promise<Fields> {
  try {
    const answer = await api.getPath(path, { signal })
    if (!isFields(answer)) throw new AnswerError(`${path}: the server answered with no object`)
    return answer
  } catch (error) {
    if (isNotFound(error)) return {}
    throw error
  }
}
