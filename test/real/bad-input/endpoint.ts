// The endpoint that a kubeconfig names.
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import type { Endpoint } from './wire.ts'

/** Endpoint of a kubeconfig file with a client certificate in line. */
export function endpointIn(file: string): Endpoint {
  return endpointOf(readFileSync(file, 'utf8'))
}

/** Endpoint of a kubeconfig's text with a client certificate in line. */
export function endpointOf(kubeconfig: string): Endpoint {
  const content = parse(kubeconfig) as {
    clusters: { cluster: { server: string; 'certificate-authority-data': string } }[]
    users: { user: { 'client-certificate-data': string; 'client-key-data': string } }[]
  }
  const cluster = content.clusters[0]?.cluster
  const user = content.users[0]?.user
  if (cluster === undefined || user === undefined) throw new Error('a kubeconfig without cluster or user')
  const pem = (data: string) => Buffer.from(data, 'base64').toString()
  return {
    port: Number(new URL(cluster.server).port),
    authority: pem(cluster['certificate-authority-data']),
    certificate: pem(user['client-certificate-data']),
    key: pem(user['client-key-data']),
  }
}
