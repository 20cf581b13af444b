// A source that somebody else runs, asked by gRPC: what its metrics are, what they are worth, whether it is active; one that pushes says so itself.

import { externalApi } from '#coordination/external-scaler-api.ts'
import { OutsideError } from '#kube/outside-error.ts'
import { externalMetric, type HpaMetric, withoutIndex } from '../../triggers/metric-names.ts'
import {
  boolean,
  defaulted,
  type GivenParameters,
  here,
  optional,
  readParameters,
  required,
  secret,
  text,
} from '../../triggers/parameters.ts'
import { type OpenedTrigger, type Scaler, type ScalerKind, targetType } from '../scaler.ts'
import { grpcAddress, grpcPoolOf, NotImplemented } from './grpc-source.ts'

const parameters = {
  scalerAddress: required(text, here('host:port of the source')),
  enableTLS: defaulted(boolean, 'false', here('also where an authentication gives a certificate')),
  unsafeSsl: defaulted(boolean, 'false', here('certificates are not checked')),
  caCert: optional(text, secret('whom we trust, PEM')),
  tlsClientCert: optional(text, secret('PEM')),
  tlsClientKey: optional(text, secret('PEM')),
}

/** Metrics of one source. */
const mostMetrics = 64

/** All that the trigger says; what names a variable has its value, or is left out. */
function passedOn({ metadata, env }: GivenParameters): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(metadata).flatMap(([key, value]) => {
      if (!key.endsWith('FromEnv')) return [[key, value] as const]
      const found = Object.hasOwn(env, value) ? env[value] : undefined
      return found === undefined || found === '' ? [] : [[key, found] as const]
    }),
  )
}

type Specs = readonly { readonly metricName: string; readonly targetSize: number; readonly targetSizeFloat: number }[]

function metricsOf(specs: Specs, trigger: OpenedTrigger): readonly HpaMetric[] {
  if (specs.length > mostMetrics)
    throw new OutsideError(`the external scaler has ${specs.length} metrics, of at most ${mostMetrics}`)
  return specs.map(({ metricName: name, targetSize, targetSizeFloat }) =>
    // What it names is a part of a name; it is not cleaned as ours are.
    externalMetric(`s${trigger.index}-${name}`, targetType(trigger), targetSizeFloat > 0 ? targetSizeFloat : targetSize),
  )
}

export const external: ScalerKind = {
  types: ['external', 'external-push'],
  about: 'a source that somebody else runs, by gRPC',
  parameters,
  async open(trigger, world) {
    const given = readParameters(parameters, trigger.given, trigger.type)
    const { caCert, tlsClientCert, tlsClientKey, unsafeSsl } = given
    const isSecure = given.enableTLS || tlsClientCert !== undefined || caCert !== undefined
    const tls = { authority: caCert, certificate: tlsClientCert, key: tlsClientKey, isInsecure: unsafeSsl }
    targetType(trigger)
    const lease = grpcPoolOf(world).take(grpcAddress(given.scalerAddress, isSecure ? tls : undefined))
    const { source } = lease
    const { name, namespace } = trigger.owner
    const ref = { name, namespace, scalerMetadata: passedOn(trigger.given) }
    const scaler: Scaler = {
      async metrics(signal) {
        return metricsOf((await source.call(externalApi.getMetricSpec, ref, signal)).metricSpecs, trigger)
      },
      async read(metric, signal) {
        const asked = withoutIndex(trigger.index, metric)
        if (asked === undefined) throw new OutsideError(`metric ${metric} is none of trigger ${trigger.index}`)
        const request = { scaledObjectRef: ref, metricName: asked }
        const { metricValues } = await source.call(externalApi.getMetrics, request, signal)
        const { result } = await source.call(externalApi.isActive, ref, signal)
        const values = metricValues.slice(0, mostMetrics).map(({ metricValue, metricValueFloat }) => ({
          ...{ name: metric, value: metricValueFloat > 0 ? metricValueFloat : metricValue },
        }))
        return { values, isActive: result }
      },
      [Symbol.asyncDispose]: async () => lease[Symbol.dispose](),
    }
    if (trigger.type === 'external') return scaler
    return {
      ...scaler,
      async *pushes(signal) {
        for await (const { result } of source.stream(externalApi.streamIsActive, ref, signal)) yield result
        // A stream that ends is opened again, whether it brought something or not.
        throw new OutsideError('the stream StreamIsActive ended')
      },
      async *metricChanges(signal) {
        try {
          for await (const { metricSpecs } of source.stream(externalApi.streamMetricSpec, ref, signal))
            yield metricsOf(metricSpecs, trigger)
        } catch (error) {
          if (error instanceof NotImplemented) return
          throw error
        }
        throw new OutsideError('the stream StreamMetricSpec ended')
      },
    }
  },
}
