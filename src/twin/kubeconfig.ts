// A kubeconfig with everything in line: the server, its authority and one user's certificate.
import { stringify } from 'yaml'
import type { KeyPair } from './authority.ts'

/** The file's text: one context, `twin`. */
export function kubeconfigText(server: string, authority: string, user: KeyPair): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'twin',
    clusters: [{ name: 'twin', cluster: { server, 'certificate-authority-data': base64(authority) } }],
    contexts: [{ name: 'twin', context: { cluster: 'twin', user: 'ballast-admin' } }],
    users: [
      {
        name: 'ballast-admin',
        user: { 'client-certificate-data': base64(user.certificate), 'client-key-data': base64(user.key) },
      },
    ],
  })
}
