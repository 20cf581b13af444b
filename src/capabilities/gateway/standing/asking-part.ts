// A part of `ballast apiserver`: whoever shows how routes stand there finds the gateways to ask.
import type { ApiserverContext, Running } from '#coordination/capability.ts'
import { gatewaysPort } from '#coordination/ports/gateway-door.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { GatewayConfig } from '../config.ts'
import { askPeer, authorityOf } from '../counts/peers.ts'
import { gatewayService } from '../names.ts'
import { AskedGateways } from './asked-gateways.ts'
import { longestReport, standingPath } from './standing-report.ts'

/** One that does not answer in this time is late, and after a while silent. */
const timeoutMs = 1_500
const listLimitMs = 3_000

type Context = Pick<ApiserverContext, 'api' | 'clock' | 'identity' | 'ports'>

/** Offers them to the process. Nothing is done until somebody asks. */
export async function startAskingGateways(context: Context, { ports }: GatewayConfig): Promise<Running<GatewayConfig>> {
  const { api, clock, identity } = context
  const endpointSlices = api.resource<KubeObject>(builtIn.endpointslices)
  const { namespace } = identity
  const labelSelector = `kubernetes.io/service-name=${gatewayService.name}`
  context.ports.offer(
    gatewaysPort,
    new AskedGateways({
      clock,
      slices: async signal => (await endpointSlices.list({ namespace, labelSelector, timeoutMs: listLimitMs, signal })).items,
      ask: async (address, signal) =>
        await askPeer({ authority: authorityOf(address, ports.admin) }, standingPath, signal, {
          timeoutMs,
          mostBytes: longestReport,
        }),
    }),
  )
  return {
    health: () => [],
    reconfigure: async () => 'restart-part',
    [Symbol.asyncDispose]: async () => undefined,
  }
}
