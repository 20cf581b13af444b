// What we ask of containerd's gRPC API, and nothing more of it. The numbers are those of containerd's own definitions, the same from 1.5 on.
import {
  bytes,
  flag,
  integer,
  list,
  type Message,
  message,
  nested,
  type Of,
  text,
  textMap,
  texts,
} from '#kube/protobuf-message.ts'

const nothing = message({})
const descriptor = message({ mediaType: text(1), digest: text(2), size: integer(3) })
const image = message({ name: text(1), labels: textMap(2), target: nested(3, descriptor) })
const content = message({ digest: text(1), size: integer(2), labels: textMap(5) })
const status = message({ ref: text(3), offset: integer(4), total: integer(5) })
const any = message({ typeUrl: text(1), value: bytes(2) })
const envelope = message({ namespace: text(2), topic: text(3), event: nested(4, any) })
const plugin = message({ type: text(1), id: text(2), exports: textMap(5) })
const lease = message({ id: text(1), labels: textMap(3) })
const resource = message({ id: text(1), type: text(2) })

export type ApiImage = Of<typeof image>
export type ApiContent = Of<typeof content>
export type ApiStatus = Of<typeof status>
export type ApiPlugin = Of<typeof plugin>
export type ApiEnvelope = Of<typeof envelope>

/** Payloads of events, by the end of their type's name. */
export const imageEvent = message({ name: text(1) })
export const contentEvent = message({ digest: text(1), size: integer(2) })

export interface Method<Request, Response> {
  readonly path: string
  readonly request: Message<Request>
  readonly response: Message<Response>
}
const method = <Request, Response>(path: string, request: Message<Request>, response: Message<Response>) => ({
  path,
  request,
  response,
})

const services = '/containerd.services'
export const getImage = method(
  `${services}.images.v1.Images/Get`,
  message({ name: text(1) }),
  message({ image: nested(1, image) }),
)
export const listImages = method(
  `${services}.images.v1.Images/List`,
  message({ filters: texts(1) }),
  message({ images: list(1, image) }),
)
export const contentInfo = method(
  `${services}.content.v1.Content/Info`,
  message({ digest: text(1) }),
  message({ info: nested(1, content) }),
)
/** A stream. */
export const listContent = method(
  `${services}.content.v1.Content/List`,
  message({ filters: texts(1) }),
  message({ info: list(1, content) }),
)
/** A stream. */
export const readContent = method(
  `${services}.content.v1.Content/Read`,
  message({ digest: text(1), offset: integer(2), size: integer(3) }),
  message({ offset: integer(1), data: bytes(2) }),
)
export const listStatuses = method(
  `${services}.content.v1.Content/ListStatuses`,
  message({ filters: texts(1) }),
  message({ statuses: list(1, status) }),
)
/** A stream. */
export const subscribe = method(`${services}.events.v1.Events/Subscribe`, message({ filters: texts(1) }), envelope)
export const listPlugins = method(
  `${services}.introspection.v1.Introspection/Plugins`,
  message({ filters: texts(1) }),
  message({ plugins: list(1, plugin) }),
)
export const version = method(`${services}.version.v1.Version/Version`, nothing, message({ version: text(1) }))
export const createLease = method(
  `${services}.leases.v1.Leases/Create`,
  message({ id: text(1), labels: textMap(3) }),
  message({ lease: nested(1, lease) }),
)
export const addToLease = method(
  `${services}.leases.v1.Leases/AddResource`,
  message({ id: text(1), resource: nested(2, resource) }),
  nothing,
)
export const deleteLease = method(`${services}.leases.v1.Leases/Delete`, message({ id: text(1), sync: flag(2) }), nothing)

/** The CRI's own answer about itself; with `verbose` containerd adds its configuration as JSON. */
export const pullImage = method(
  '/runtime.v1.ImageService/PullImage',
  message({ image: nested(1, message({ image: text(1) })) }),
  message({ imageRef: text(1) }),
)
/** `image` is absent where it is not here. */
export const imageStatus = method(
  '/runtime.v1.ImageService/ImageStatus',
  message({ image: nested(1, message({ image: text(1) })) }),
  message({ image: nested(1, message({ id: text(1) })) }),
)
export const criStatus = method('/runtime.v1.RuntimeService/Status', message({ verbose: flag(1) }), message({ info: textMap(2) }))
