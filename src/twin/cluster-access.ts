// The API server as the simulated components see it: the same write pipeline, without sockets, JSON or permissions.
import type { KubeObject } from '#kube/objects/objects.ts'
import { badRequest, notFound } from '#kube/objects/status.ts'
import type { ClusterAccess, DeleteChoice, ResourceKey, StoreEvent, Writer } from './access.ts'
import type { Webhooks } from './api/admission/webhooks.ts'
import type { ApiServer } from './api/api-server.ts'
import type { Deletion } from './api/deletion.ts'
import type { ResourceType } from './api/resource-type.ts'
import { bindPod } from './api/subresources/binding.ts'
import type { WriteOptions } from './api/write-options.ts'
import { subjectOf, type WritePipeline } from './api/write-pipeline.ts'
import { draftOf } from './json-value.ts'
import { applied } from './patch/server-side-apply.ts'

interface AccessParts {
  readonly server: ApiServer
  readonly writes: WritePipeline
  readonly deletion: Deletion
  readonly webhooks: Webhooks
}

/** Access for components inside the process. */
export function clusterAccess({ server, writes, deletion, webhooks }: AccessParts): ClusterAccess {
  const typeOf = (resource: ResourceKey): ResourceType => {
    const type = server.resources.ofKey(resource)
    if (type === undefined) throw notFound({ group: '', resource }, '')
    return type
  }
  const optionsOf = (writer: Writer): WriteOptions => ({
    user: { name: writer.user, groups: ['system:authenticated'] },
    manager: writer.manager,
  })
  return {
    get: (resource, namespace, name) => server.store.get(resource, namespace, name),
    list: (resource, namespace) => server.store.list(resource, namespace),
    create: (resource, object, writer) => writes.create(typeOf(resource), object, undefined, optionsOf(writer)),
    async createAdmitted(resource: ResourceKey, object: KubeObject, writer: Writer): Promise<KubeObject> {
      const type = typeOf(resource)
      const options = optionsOf(writer)
      using _held = server.clock.hold()
      const draft = writes.prepareCreate(type, object, undefined, options)
      const admitted = await webhooks.admit(type, { operation: 'CREATE', object: draft, existing: undefined, options })
      return writes.finishCreate(type, admitted, options)
    },
    update: (resource, object, writer, options) =>
      writes.update(typeOf(resource), object, {
        ...optionsOf(writer),
        ...(options?.subresource === undefined ? {} : { subresource: options.subresource }),
      }),
    apply(resource, configuration, writer, { subresource } = {}) {
      const type = typeOf(resource)
      const options = {
        ...optionsOf(writer),
        ...(subresource === undefined ? {} : { subresource }),
        keepManagedFields: true,
        isForced: true,
        isPatch: true,
      }
      const { namespace, name } = configuration.metadata
      const existing = server.store.get(resource, namespace, name)
      if (existing === undefined && subresource !== undefined) throw notFound(subjectOf(type), name)
      const draft = applied(server, type, existing, draftOf(configuration), options)
      return existing === undefined ? writes.create(type, draft, namespace, options) : writes.update(type, draft, options)
    },
    remove: (resource, namespace, name, _writer, options: DeleteChoice = {}) =>
      void deletion.remove(typeOf(resource), namespace, name, options),
    bind: (namespace, pod, node, writer) =>
      void bindPod(server, writes, { namespace, pod, node, binding: {} }, optionsOf(writer)),
    subscribe(resource: ResourceKey, handler: (event: StoreEvent) => void): () => void {
      if (resource === '') throw badRequest('a resource is needed to subscribe')
      return server.store.subscribe(resource, handler)
    },
    resources: () => server.resources.keys(),
    get revision() {
      return server.store.revision
    },
  }
}
