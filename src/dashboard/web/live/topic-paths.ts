// Where the value of a topic is read without a stream: while polling, and in the past.
import type { Topic } from '../../contract.ts'
import { type TopicKind, topicKinds } from '../../contract-names.ts'
import { apiPath } from '../../words/links.ts'

/** What stands before the colon. */
export function kindOf(topic: Topic): TopicKind {
  const [head] = topic.split(':')
  return topicKinds.find(kind => kind === head) ?? 'overview'
}

/** `node:talos00` → `/api/v1/nodes/talos00`. */
export function topicPath(topic: Topic): string {
  const colon = topic.indexOf(':')
  const name = colon < 0 ? '' : topic.slice(colon + 1)
  switch (kindOf(topic)) {
    case 'overview':
      return apiPath(['overview'])
    case 'permits':
      return apiPath(['permits'])
    case 'images':
      return apiPath(['images'])
    case 'twin':
      return apiPath(['twin'])
    case 'plan':
      return apiPath(['plans', name])
    case 'node':
      return apiPath(['nodes', name])
    case 'page':
      return apiPath(['pages', name])
    case 'workload':
      return apiPath(['workloads', ...name.split('/')])
  }
}
