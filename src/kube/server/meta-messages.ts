// The messages of meta.k8s.io as they go over the wire in protobuf, as far as a server behind an API server answers with them.
import type { KubeObject } from '../objects/objects.ts'
import type { Status } from '../objects/status.ts'
import { flag, integer, list, message, nested, type Of, sentText, textMap, texts } from '../protobuf-message.ts'

/** A point of time, to the second where metadata has it. */
export const timeMessage = message({ seconds: integer(1), nanos: integer(2) })

const ownerReference = message({
  kind: sentText(1),
  name: sentText(3),
  uid: sentText(4),
  apiVersion: sentText(5),
  controller: flag(6),
  blockOwnerDeletion: flag(7),
})

/** What every object of the API has, for messages of kinds. */
export const objectMeta = message({
  name: sentText(1),
  generateName: sentText(2),
  namespace: sentText(3),
  selfLink: sentText(4),
  uid: sentText(5),
  resourceVersion: sentText(6),
  generation: integer(7),
  creationTimestamp: nested(8, timeMessage),
  labels: textMap(11),
  annotations: textMap(12),
  ownerReferences: list(13, ownerReference),
  finalizers: texts(14),
})

const partialMetadata = message({ metadata: nested(1, objectMeta) })

const cause = message({ reason: sentText(1), message: sentText(2), field: sentText(3) })
const statusDetails = message({
  name: sentText(1),
  group: sentText(2),
  kind: sentText(3),
  causes: list(4, cause),
  retryAfterSeconds: integer(5),
  uid: sentText(6),
})
const listMeta = message({ selfLink: sentText(1), resourceVersion: sentText(2), continue: sentText(3) })
const statusMessage = message({
  metadata: nested(1, listMeta),
  status: sentText(2),
  message: sentText(3),
  reason: sentText(4),
  details: nested(5, statusDetails),
  code: integer(6),
})

const noListMeta = { selfLink: '', resourceVersion: '', continue: '' }

/** `ObjectMeta` as a message has it. */
export function metadataMessage({ metadata }: Pick<KubeObject, 'metadata'>): Of<typeof objectMeta> {
  const createdMs = Date.parse(metadata.creationTimestamp ?? '')
  return {
    name: metadata.name,
    generateName: metadata.generateName ?? '',
    namespace: metadata.namespace ?? '',
    selfLink: '',
    uid: metadata.uid ?? '',
    resourceVersion: metadata.resourceVersion ?? '',
    generation: metadata.generation ?? 0,
    creationTimestamp: { seconds: Number.isNaN(createdMs) ? 0 : Math.floor(createdMs / 1_000), nanos: 0 },
    labels: new Map(Object.entries(metadata.labels ?? {})),
    annotations: new Map(Object.entries(metadata.annotations ?? {})),
    ownerReferences: (metadata.ownerReferences ?? []).map(({ kind, name, uid, apiVersion, controller, blockOwnerDeletion }) => ({
      kind,
      name,
      uid,
      apiVersion,
      controller: controller === true,
      blockOwnerDeletion: blockOwnerDeletion === true,
    })),
    finalizers: metadata.finalizers ?? [],
  }
}

/** The bytes of a `PartialObjectMetadata`. */
export function encodePartialMetadata(object: Pick<KubeObject, 'metadata'>): Buffer {
  return partialMetadata.encode({ metadata: metadataMessage(object) })
}

/** The bytes of a `ListMeta` in its field: none of ours has a version. */
export const emptyListMeta: Buffer = message({ metadata: nested(1, listMeta) }).encode({ metadata: noListMeta })

/** The bytes of a `Status`. */
export function encodeStatus({ status, message: said = '', reason = '', details, code }: Status): Buffer {
  return statusMessage.encode({
    metadata: noListMeta,
    status,
    message: said,
    reason,
    ...(code === undefined ? {} : { code }),
    ...(details === undefined
      ? {}
      : {
          details: {
            name: details.name ?? '',
            group: details.group ?? '',
            kind: details.kind ?? '',
            uid: details.uid ?? '',
            retryAfterSeconds: details.retryAfterSeconds ?? 0,
            causes: (details.causes ?? []).map(({ reason: why = '', message: text = '', field = '' }) => ({
              reason: why,
              message: text,
              field,
            })),
          },
        }),
  })
}
