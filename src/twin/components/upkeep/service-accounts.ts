// What every namespace gets: ServiceAccount `default` and, where the twin has a certificate, ConfigMap `kube-root-ca.crt`.

import type { KubeObject } from '#kube/objects/objects.ts'
import { isAlreadyExists, isNotFound } from '#kube/objects/status.ts'
import type { Writer } from '../../access.ts'
import { type ComponentContext, controllerWriter } from '../component.ts'
import type { KnownResource } from '../kinds.ts'
import { isNamespaceTerminating } from '../workloads/slow-start.ts'

export function startServiceAccounts(context: ComponentContext): void {
  keepInEachNamespace(context, 'serviceaccount', {
    resource: 'serviceaccounts',
    name: 'default',
    writer: controllerWriter('service-account-controller'),
    make: metadata => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata }),
  })
}

/** `certificate`: the API server's authority as PEM. */
export function startRootCertificates(context: ComponentContext, certificate: string): void {
  const annotations = {
    'kubernetes.io/description':
      'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
  }
  keepInEachNamespace(context, 'root-ca-cert-publisher', {
    resource: 'configmaps',
    name: 'kube-root-ca.crt',
    writer: controllerWriter('root-ca-cert-publisher'),
    make: metadata => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { ...metadata, annotations },
      data: { 'ca.crt': certificate },
    }),
  })
}

interface NamespaceContent {
  readonly resource: KnownResource
  readonly name: string
  readonly writer: Writer
  readonly make: (metadata: { readonly name: string; readonly namespace: string }) => KubeObject
}

function keepInEachNamespace(
  context: ComponentContext,
  component: string,
  { resource, name, writer, make }: NamespaceContent,
): void {
  const { access, view, loop } = context
  const queue = loop.queue(component, namespace => {
    const found = view.get('namespaces', undefined, namespace)
    if (
      found === undefined ||
      found.metadata.deletionTimestamp !== undefined ||
      view.get(resource, namespace, name) !== undefined
    )
      return
    try {
      access.create(resource, make({ name, namespace }), writer)
    } catch (error) {
      if (!isAlreadyExists(error) && !isNotFound(error) && !isNamespaceTerminating(error)) throw error
    }
  })
  view.on('namespaces', ({ type, object }) => {
    if (type === 'ADDED') queue.add(object.metadata.name)
  })
  view.onAny(resource, ({ type, object }) => {
    if (type === 'DELETED' && object.metadata.name === name && object.metadata.namespace !== undefined)
      queue.add(object.metadata.namespace)
  })
  for (const namespace of view.list('namespaces')) queue.add(namespace.metadata.name)
}
