// Objects that the server itself writes: it signs them as its clients do theirs.
import type { KubeObject } from '#kube/objects/objects.ts'
import type { ApiServer, User } from './api/api-server.ts'
import { setDefaults } from './api/defaults.ts'
import { asStored } from './api/write-pipeline.ts'
import { draftOf } from './json-value.ts'
import { trackCreate } from './patch/managed-fields.ts'

/** Who the server is when it asks itself. */
export const serverUser: User = { name: 'system:apiserver', groups: ['system:masters'] }
/** As whom it signs. */
export const serverManager = 'kube-apiserver'

/** The object with its defaults and the server as the owner of its fields. */
export function signedByServer(server: ApiServer, object: KubeObject): KubeObject {
  const type = server.resources.ofKind(object.apiVersion, object.kind)
  if (type === undefined) return object
  const draft = draftOf(object)
  setDefaults(type, draft, server)
  trackCreate(server, type, draft, { user: serverUser, manager: serverManager })
  return asStored(draft)
}
