// What an event of containerd says may have changed. Of it the size of fresh content is believed; for all else the store is asked again.
import { type Digest, parseDigest } from '../reference.ts'
import { type ApiEnvelope, contentEvent, imageEvent } from './containerd-api.ts'

type Touched =
  | { readonly kind: 'image'; readonly name: string }
  /** `size`: in bytes, of content that has just been made; undefined where it was deleted, or nothing is said of it. */
  | { readonly kind: 'content'; readonly digest: Digest; readonly size: number | undefined }

/** containerd's filters, joined by "or": names without a slash are digests of configurations. */
export const eventFilters = [
  'topic~="/images/create|/images/update|/images/delete",event.name~="^.+/"',
  'topic~="/content/create|/content/delete"',
]
export const imageFilter = 'name~="^.+/"'

/** `undefined` for what is of no concern: another namespace, another topic, a name that is none. */
export function touchedBy(envelope: ApiEnvelope, namespace: string): Touched | undefined {
  const { event, topic } = envelope
  if (envelope.namespace !== namespace || event === undefined) return undefined
  if (topic.startsWith('/images/')) {
    const { name } = imageEvent.decode(event.value)
    return name.includes('/') ? { kind: 'image', name } : undefined
  }
  if (topic.startsWith('/content/')) {
    const { digest: told, size } = contentEvent.decode(event.value)
    const digest = parseDigest(told)
    // A protobuf says nothing and 0 alike.
    const isMade = topic === '/content/create' && size > 0
    return digest === undefined ? undefined : { kind: 'content', digest, size: isMade ? size : undefined }
  }
  return undefined
}
