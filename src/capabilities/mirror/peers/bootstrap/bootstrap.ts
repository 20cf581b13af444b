// How a node finds the first others: five kinds, each of which yields contacts. What to do with them is the router's.

import type { Api } from '#kube/client/api.ts'
import type { Log } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import type { BootstrapSettings } from '../../settings.ts'
import { dnsBootstrap } from './bootstrap-dns.ts'
import { fileBootstrap } from './bootstrap-file.ts'
import { httpBootstrap } from './bootstrap-http.ts'
import { kubernetesBootstrap } from './bootstrap-kubernetes.ts'
import { parseStaticPeers } from './bootstrap-static.ts'
import type { Bootstrap } from './bootstrap-way.ts'

interface BootstrapOptions {
  readonly settings: BootstrapSettings
  /** Where others' routers listen, when nobody says a port: our own. */
  readonly routerPort: number
  readonly log: Log
  /** For `kubernetes` only: whose EndpointSlices are read. */
  readonly service?: { readonly api: Api; readonly namespace: string; readonly name: string }
}

/** The bootstrap that the settings ask for. @throws InputError where they do not say enough. */
export function bootstrapOf({ settings, routerPort, log, service }: BootstrapOptions): Bootstrap {
  const need = <T>(value: T | undefined, where: string, expected: string): T => {
    if (value !== undefined && value !== '') return value
    throw new InputError([{ code: 'bootstrap-settings', where, found: '', expected }])
  }
  switch (settings.kind) {
    case 'dns':
      return dnsBootstrap(need(settings.dnsDomain, 'dns-bootstrap-domain', 'a name that resolves to all nodes'), routerPort)
    case 'http':
      return httpBootstrap({
        url: need(settings.httpUrl, 'http-bootstrap-url', 'a URL such as http://10.0.0.1:5002/id'),
        address: settings.httpAddress ?? '',
        certificateDirectory: settings.httpCertificateDirectory ?? '',
      })
    case 'static': {
      const peers = parseStaticPeers(need(settings.staticPeers, 'static-bootstrap-peers', 'multiaddresses'), routerPort)
      return { find: async () => peers }
    }
    case 'file':
      return fileBootstrap(need(settings.file, 'bootstrap-file', 'the path of a file of addresses'), routerPort, log)
    case 'kubernetes':
      return kubernetesBootstrap(need(service, 'bootstrap-kind', 'a kind that needs no API server, here'), routerPort)
  }
}
