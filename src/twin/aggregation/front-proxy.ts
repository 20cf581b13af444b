// How the twin shows itself to the API servers behind it: an authority of its own, a certificate under it, and the ConfigMap and Role
// by which those servers learn whom to believe. The twin's own APIs are registered beside them,
// for clients that list what is.
import type { KubeObject } from '#kube/objects/objects.ts'
import { type ApiServer, timestamp } from '../api/api-server.ts'
import { type KeyPair, makeAuthority } from '../authority.ts'
import { loadObjects } from '../load.ts'
import { signedByServer } from '../server-objects.ts'
import { localApiServices } from './local-api-services.ts'

const proxyName = 'front-proxy-client'
const configMapName = 'extension-apiserver-authentication'
/** Since when the server counts how tokens of Secrets are used. */
const trackingName = 'kube-apiserver-legacy-service-account-token-tracking'
const roleName = 'extension-apiserver-authentication-reader'

/** Makes the certificates and publishes them. `clientAuthority` is what client certificates of the twin's users are checked by. */
export async function makeFrontProxy(server: ApiServer, clientAuthority: string | undefined, nowMs: number): Promise<KeyPair> {
  const authority = await makeAuthority(nowMs, [], { name: 'ballast-twin-front-proxy' })
  const certificate = await authority.issueClient(proxyName, [])
  const data = {
    ...(clientAuthority === undefined ? {} : { 'client-ca-file': clientAuthority }),
    'requestheader-client-ca-file': authority.certificate,
    'requestheader-allowed-names': JSON.stringify([proxyName]),
    'requestheader-username-headers': '["X-Remote-User"]',
    'requestheader-group-headers': '["X-Remote-Group"]',
    'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
  }
  const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: configMapName, namespace: 'kube-system' }, data }
  const tracking = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: trackingName, namespace: 'kube-system' },
    data: { since: timestamp(server.clock.now()).slice(0, 'yyyy-mm-dd'.length) },
  }
  server.store.remove('configmaps', 'kube-system', configMapName)
  const isTracking = server.store.get('configmaps', 'kube-system', trackingName) !== undefined
  const written = [configMap, ...(isTracking ? [] : [tracking])].map(object => signedByServer(server, object))
  const isThere = (object: KubeObject) =>
    server.store.get('apiservices.apiregistration.k8s.io', undefined, object.metadata.name) !== undefined
  const registrations = localApiServices(timestamp(server.clock.now())).filter(object => !isThere(object))
  loadObjects(server, [...written, readerRole, ...registrations])
  return certificate
}

const readerRole: KubeObject = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'Role',
  metadata: {
    name: roleName,
    namespace: 'kube-system',
    annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
    labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' },
  },
  rules: [{ verbs: ['get', 'list', 'watch'], apiGroups: [''], resources: ['configmaps'], resourceNames: [configMapName] }],
}
