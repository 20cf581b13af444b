// The volume in which a pod finds the token of its ServiceAccount, and its mounts.
import { copyOf, type Draft, fieldsAt, itemsAt, listAt, textAt } from '../../json-value.ts'
import type { ApiServer } from '../api-server.ts'

const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount'
const volumePrefix = 'kube-api-access-'
const mirrorAnnotation = 'kubernetes.io/config.mirror'

const sources = [
  // Seven seconds more than an hour: by them upstream tells its own tokens.
  { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
  { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
  { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
]

/** Gives a new pod what its ServiceAccount has for it: secrets to pull images with, and its token in every container. */
export function admitAccount({ store }: Pick<ApiServer, 'store'>, draft: Draft): void {
  const spec = fieldsAt(draft, 'spec')
  // Mirror pods show what runs on a node already: nothing can be added to them.
  if (spec === undefined || textAt(draft, 'metadata', 'annotations', mirrorAnnotation) !== undefined) return
  if ((textAt(spec, 'serviceAccountName') ?? '') === '') {
    spec['serviceAccountName'] = 'default'
    spec['serviceAccount'] = 'default'
  }
  const account = store.get('serviceaccounts', textAt(draft, 'metadata', 'namespace'), textAt(spec, 'serviceAccountName') ?? '')
  if ((spec['automountServiceAccountToken'] ?? account?.['automountServiceAccountToken']) !== false) mountToken(draft, spec)
  const secrets = listAt(account, 'imagePullSecrets')
  if (secrets.length > 0 && listAt(spec, 'imagePullSecrets').length === 0) spec['imagePullSecrets'] = copyOf(secrets)
}

function mountToken(draft: Draft, spec: Draft): void {
  const volumes = itemsAt(spec, 'volumes')
  const present = volumes.map(volume => textAt(volume, 'name') ?? '').find(name => name.startsWith(volumePrefix))
  const name = present ?? `${volumePrefix}${suffixOf(textAt(draft, 'metadata', 'uid') ?? '')}`
  let isMounted = false
  for (const container of [...itemsAt(spec, 'initContainers'), ...itemsAt(spec, 'containers')]) {
    const mounts = itemsAt(container, 'volumeMounts')
    if (mounts.some(mount => mount['mountPath'] === mountPath)) continue
    container['volumeMounts'] = [...mounts, { name, readOnly: true, mountPath }]
    isMounted = true
  }
  if (isMounted && present === undefined)
    spec['volumes'] = [...volumes, { name, projected: { sources: copyOf(sources), defaultMode: 420 } }]
}

const letters = 'bcdfghjklmnpqrstvwxz2456789'
const suffixLength = 5

/** Five letters by the pod's UID, which is by chance already. */
function suffixOf(uid: string): string {
  let rest = Number.parseInt(uid.replaceAll('-', '').slice(0, 12), 16) || 0
  let suffix = ''
  for (let index = 0; index < suffixLength; index++) {
    suffix += letters[rest % letters.length] ?? ''
    rest = Math.floor(rest / letters.length)
  }
  return suffix
}
