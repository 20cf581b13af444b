// A Service that leads to the gateway while its target sleeps, beside the cluster's own controller of EndpointSlices. Nobody leads Services'
// ports here (there is no kube-proxy): a caller goes to the address and port that the slices say, with the Service's name as its host.
import { deepStrictEqual, match, strictEqual } from 'node:assert'
import { at, listAt, numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeletCluster } from '../kubelet/cluster.ts'
import { limitMs } from '../kubelet/pods.ts'
import { want } from '../metrics/kubectl-top.ts'
import { until } from '../mirror/laboratory/program.ts'
import type { CommandResult } from '../run-command.ts'

const annotation = 'ballast.dev/own-endpoints'
const ownName = 'ballast-web-ipv4'
const times = 3
const curlSeconds = 60

interface Place {
  readonly address: string
  readonly port: number
}

/** The target `web` of an HTTPScaledObject sleeps when this begins, and each time `asleep` ends. @returns what was seen */
export async function ledToGateway(cluster: KubeletCluster, asleep: () => Promise<void>): Promise<string> {
  const [node] = cluster.nodes
  if (node === undefined) throw new Error('a node')
  await want(cluster, 'annotate', 'httpscaledobject', 'web', `${annotation}=true`)
  const versions = new Set<string>()
  for (let turn = 0; turn < times; turn++) {
    await asleep()
    const [place] = await until('the Service leads to the gateway', async () => only(await placesOf(cluster), true), limitMs, 100)
    if (place === undefined) throw new Error('a place')
    for (let look = 0; look < 3; look++)
      versions.add(`${turn} ${await want(cluster, 'get', 'endpointslice', ownName, '-o', 'jsonpath={.metadata.generation}')}`)
    const script = `exec curl -sS -m ${curlSeconds} -D - -o /dev/null -w '%{http_code}' -H 'Host: web.default.svc:80' http://${place.address}:${place.port}/`
    const curl: CommandResult = await node.machine.run(['sh', '-c', script])
    const stdout: string = curl.stdout
    match(stdout, /^x-keda-http-cold-start: true\r?$/im, `${stdout}${curl.stderr}`)
    strictEqual(stdout.slice(-3), '200', stdout)
    // Ready: it leads to the target's pod alone.
    await until('the Service leads to its own pod', async () => only(await placesOf(cluster), false), limitMs, 50)
  }
  deepStrictEqual(
    [...versions],
    Array.from({ length: times }, (_, turn) => `${turn} 1`),
    'somebody else wrote our slice',
  )
  const object = JSON.parse(await want(cluster, 'get', 'httpscaledobject', 'web', '-o', 'json'))
  const said = listAt(object, 'status', 'conditions').find(one => textAt(one, 'type') === 'OwnEndpoints')
  strictEqual(textAt(said, 'reason'), 'CooldownOnly')
  await asleep()
  await until('the Service leads to the gateway again', async () => only(await placesOf(cluster), true), limitMs, 100)
  await want(cluster, 'annotate', 'httpscaledobject', 'web', `${annotation}-`)
  await until(
    'our slice is gone with the annotation',
    async () => (await placesOf(cluster)).every(({ isOurs }) => !isOurs),
    limitMs,
    100,
  )
  return `${times} times woken by the name of the Service, through a slice of ours that nobody else wrote`
}

/** Ready ones, where all of them are ours, or none is. */
function only(places: readonly (Place & { readonly isOurs: boolean })[], isOurs: boolean): readonly Place[] | undefined {
  return places.length > 0 && places.every(place => place.isOurs === isOurs) ? places : undefined
}

async function placesOf(cluster: KubeletCluster): Promise<readonly (Place & { readonly isOurs: boolean })[]> {
  const list = JSON.parse(await want(cluster, 'get', 'endpointslices', '-l', 'kubernetes.io/service-name=web', '-o', 'json'))
  return listAt(list, 'items').flatMap(slice =>
    listAt(slice, 'endpoints').flatMap(endpoint => {
      const [address] = listAt(endpoint, 'addresses')
      const port = numberAt(listAt(slice, 'ports')[0], 'port')
      if (at(endpoint, 'conditions', 'ready') === false || typeof address !== 'string' || port === undefined) return []
      return [{ address, port, isOurs: textAt(slice, 'metadata', 'name') === ownName }]
    }),
  )
}
