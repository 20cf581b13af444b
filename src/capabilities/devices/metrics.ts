// What is counted of devices on a node.

import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Offer } from './discovery/offers.ts'
import type { DeviceUse } from './health/device-use.ts'

export interface DeviceMetrics {
  readonly registrations: Counter<'resource'>
  readonly allocateSeconds: Histogram<'resource'>
  readonly refusals: Counter<'resource'>
  readonly draRegistrations: Counter<'driver'>
  readonly claimsPrepared: Gauge<'driver'>
  readonly claimsRefused: Counter<'driver'>
  /** Counts what is offered now. */
  offered(offers: ReadonlyMap<string, Offer>): void
  /** Counts how devices are used now; those that are not named have no figure. */
  used(uses: ReadonlyMap<string, DeviceUse>): void
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
  const device = ['device'] as const
  const busy = new Gauge({
    name: 'ballast_devices_busy_ratio',
    help: 'How busy a device was since the look before, from 0 to 1, where the kernel says it',
    labelNames: device,
    registers,
  })
  const memory = new Gauge({
    name: 'ballast_devices_memory_bytes',
    help: 'Memory of a device: all of it, and what is used, where the kernel says it',
    labelNames: ['device', 'state'] as const,
    registers,
  })
  return {
    used(uses) {
      busy.reset()
      memory.reset()
      for (const [id, use] of uses) {
        if (use.busy !== undefined) busy.set({ device: id }, use.busy)
        if (use.memoryUsedBytes !== undefined) memory.set({ device: id, state: 'used' }, use.memoryUsedBytes)
        if (use.memoryBytes !== undefined) memory.set({ device: id, state: 'all' }, use.memoryBytes)
      }
    },
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
