// What a kubelet's configuration says of its topology manager: as a file has it, or as the kubelet itself says it at /configz.

import { parseDocument } from 'yaml'
import { messageOf } from '#kube/log.ts'
import { AnswerError } from '#kube/outside-error.ts'

export interface TopologyPolicy {
  readonly policy: string
  readonly scope: string
}

const namesByPolicy: Readonly<Record<string, string>> = {
  'single-numa-node': 'SingleNUMANode',
  restricted: 'Restricted',
  'best-effort': 'BestEffort',
}
const namesByScope: Readonly<Record<string, string>> = { pod: 'PodLevel', container: 'ContainerLevel' }

/** Policy and scope in one word, as `topologyPolicies` has them; `None` for those that nobody knows. */
export function oldPolicyName({ policy, scope }: TopologyPolicy): string {
  const [ofPolicy, ofScope] = [own(namesByPolicy, policy), own(namesByScope, scope)]
  return ofPolicy === undefined || ofScope === undefined ? 'None' : `${ofPolicy}${ofScope}`
}

const own = (names: Readonly<Record<string, string>>, key: string) => (Object.hasOwn(names, key) ? names[key] : undefined)

/** The policies in the text of a configuration file. @throws AnswerError where it is none */
export function policyInFile(text: string, where: string): TopologyPolicy {
  const content = yamlContent(text, where)
  if (!isMapping(content) || content['kind'] !== 'KubeletConfiguration')
    throw new AnswerError(`${where}: expected a KubeletConfiguration`)
  return policyIn(content, where)
}

/** The policies in what a kubelet answers at /configz. @throws AnswerError where it is no such answer */
export function policyInAnswer(text: string, where: string): TopologyPolicy {
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch (error) {
    throw new AnswerError(`${where}: ${messageOf(error)}`, { cause: error })
  }
  const configuration = isMapping(content) ? content['kubeletconfig'] : undefined
  if (!isMapping(configuration)) throw new AnswerError(`${where}: the answer has no kubeletconfig`)
  return policyIn(configuration, where)
}

function yamlContent(text: string, where: string): unknown {
  const document = parseDocument(text, { prettyErrors: false, uniqueKeys: true })
  try {
    if (document.errors[0] !== undefined) throw document.errors[0]
    return document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    throw new AnswerError(`${where}: ${messageOf(error)}`, { cause: error })
  }
}

/** A kubelet takes what is left out, or empty, for its standard. */
function policyIn(configuration: Readonly<Record<string, unknown>>, where: string): TopologyPolicy {
  const read = (key: string, standard: string) => {
    const value = configuration[key] ?? ''
    if (typeof value !== 'string' || value.length > longestName) throw new AnswerError(`${where}: ${key} is no name`)
    return value === '' ? standard : value
  }
  return { policy: read('topologyManagerPolicy', 'none'), scope: read('topologyManagerScope', 'container') }
}

const longestName = 256

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
