// What can be listened to, and what each topic says: its name leads to a view.
import { capabilityViewOf, noPageText } from '../capability-page.ts'
import type { ApiError, Link, Topic } from '../contract.ts'
import { type TopicKind, topicKinds } from '../contract-names.ts'
import type { Picture, PictureSource } from '../picture.ts'
import { permitPage } from '../views/ledger/permits.ts'
import { imagesViewOf } from '../views/nodes/images.ts'
import { nodeViewOf } from '../views/nodes/node.ts'
import { rowsInSteps } from '../views/nodes/nodes.ts'
import { isNotThere } from '../views/not-there.ts'
import { overviewOf } from '../views/overview.ts'
import { planViewOf } from '../views/plans/plan.ts'
import { twinViewOf } from '../views/twin.ts'
import type { Viewing } from '../views/viewing.ts'
import { workloadViewOf } from '../views/workloads/workload.ts'

/** The value of a topic, or why there is none; the error is that of the same GET. */
export type TopicValue = { readonly value: object } | { readonly gone: ApiError['error'] }

export type TopicValues = (picture: Picture, topic: Topic, viewing: Viewing) => TopicValue

/** Names of objects have at most 253 characters, those of kinds and namespaces less. */
const longestTopic = 600

/** Which kind of topic a name is of; `undefined` where it is none. Kinds that speak of one thing have its name behind a colon. */
export function topicKindOf(topic: Topic): TopicKind | undefined {
  if (topic.length > longestTopic) return undefined
  const colon = topic.indexOf(':')
  const head = colon < 0 ? topic : topic.slice(0, colon)
  const kind = topicKinds.find(one => one === head)
  return kind !== undefined && isOfOne(kind) === (colon >= 0 && colon < topic.length - 1) ? kind : undefined
}

/** What `topic` says of `picture` to whoever looks. Costs what the view costs; views remember what did not change. */
export function topicValue(picture: Picture, topic: Topic, viewing: Viewing): TopicValue {
  const kind = topicKindOf(topic)
  const name = topic.slice(topic.indexOf(':') + 1)
  switch (kind) {
    case undefined:
      return missing(`There is no topic ${JSON.stringify(topic.slice(0, longestShown))}.`)
    case 'overview':
      return { value: overviewOf(picture, viewing) }
    case 'permits':
      return { value: permitPage(picture, {}, viewing) }
    case 'images':
      return { value: imagesViewOf(picture, viewing) }
    case 'twin':
      return orMissing(twinViewOf(picture, viewing), 'This is no twin: its clock cannot be set.')
    case 'plan':
      return orMissing(planViewOf(picture, name, viewing), `There is no plan ${name}.`)
    case 'node':
      return orMissing(nodeViewOf(picture, name, viewing), `There is no node ${name}.`)
    case 'page':
      return orMissing(capabilityViewOf(picture, name, viewing), noPageText(name))
    case 'workload':
      return workload(picture, name, viewing)
  }
}

/**
 * Does beforehand, step by step, what `topicValue` would do in one go: rows of thousands of nodes, the scheduler's model of many pods.
 * `breathe` is called after each step. Ask for the picture anew afterwards.
 */
export async function prepareTopic(source: PictureSource, topic: Topic, breathe: () => Promise<void>): Promise<void> {
  const kind = topicKindOf(topic)
  if (kind === 'workload') await source.prepare?.()
  if (kind === 'overview' || kind === 'node') for (const _ of rowsInSteps(source.current())) await breathe()
}

const longestShown = 120

function workload(picture: Picture, name: string, viewing: Viewing): TopicValue {
  const parts = name.split('/')
  const [namespace = '', workloadKind = '', workloadName = ''] = parts
  if (parts.length !== 3) return missing(`A workload is named NAMESPACE/KIND/NAME, not ${name.slice(0, longestShown)}.`)
  const ref = { namespace: namespace === '' ? null : namespace, kind: workloadKind, name: workloadName }
  const view = workloadViewOf(picture, ref, viewing)
  return isNotThere(view) ? missing(view.sentence.text, view.sentence.links) : { value: view }
}

function orMissing(view: object | undefined, sentence: string): TopicValue {
  return view === undefined ? missing(sentence) : { value: view }
}

function missing(message: string, links: readonly Link[] = []): TopicValue {
  return { gone: { code: 'not-there', message, remedy: null, ...(links.length === 0 ? {} : { links }) } }
}

function isOfOne(kind: TopicKind): boolean {
  return kind === 'plan' || kind === 'node' || kind === 'workload' || kind === 'page'
}
