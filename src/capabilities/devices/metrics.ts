// What is counted of devices on a node.

import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Offer } from './discovery/offers.ts'

export interface DeviceMetrics {
  readonly registrations: Counter<'resource'>
  readonly allocateSeconds: Histogram<'resource'>
  readonly refusals: Counter<'resource'>
  readonly draRegistrations: Counter<'driver'>
  readonly claimsPrepared: Gauge<'driver'>
  readonly claimsRefused: Counter<'driver'>
  /** Counts what is offered now. */
  offered(offers: ReadonlyMap<string, Offer>): void
}

export function deviceMetrics(registry: Registry): DeviceMetrics {
  const registers = [registry]
  const labelNames = ['resource'] as const
  const capacity = new Gauge({
    name: 'ballast_devices_capacity',
    help: 'Devices and shares that are offered',
    labelNames,
    registers,
  })
  const allocatable = new Gauge({
    name: 'ballast_devices_allocatable',
    help: 'Those of them that are healthy',
    labelNames,
    registers,
  })
  return {
    registrations: new Counter({
      name: 'ballast_devices_registrations_total',
      help: 'Registrations with the kubelet',
      labelNames,
      registers,
    }),
    allocateSeconds: new Histogram({
      name: 'ballast_devices_allocate_seconds',
      help: 'How long an answer to Allocate took',
      labelNames,
      buckets: [0.001, 0.005, 0.025, 0.1, 0.5],
      registers,
    }),
    refusals: new Counter({
      name: 'ballast_devices_allocate_refused_total',
      help: 'Calls of Allocate that were refused: the device is unknown or unhealthy',
      labelNames,
      registers,
    }),
    draRegistrations: new Counter({
      name: 'ballast_devices_driver_registrations_total',
      help: 'How often a kubelet took a driver for claims',
      labelNames: ['driver'],
      registers,
    }),
    claimsPrepared: new Gauge({
      name: 'ballast_devices_claims_prepared',
      help: 'Claims that are prepared on the node',
      labelNames: ['driver'],
      registers,
    }),
    claimsRefused: new Counter({
      name: 'ballast_devices_claims_refused_total',
      help: 'Claims that could not be prepared',
      labelNames: ['driver'],
      registers,
    }),
    offered(offers) {
      capacity.reset()
      allocatable.reset()
      for (const { resource, shares } of offers.values()) {
        capacity.set({ resource }, shares.size)
        allocatable.set({ resource }, [...shares.values()].filter(({ isHealthy }) => isHealthy).length)
      }
    },
  }
}
