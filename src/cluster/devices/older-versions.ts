// Slices and claims of resource.k8s.io/v1beta1 brought to the shape of v1: dumps of older clusters hold them.

import type { Device, DeviceRequest, ResourceClaim, ResourceSlice } from './device-shapes.ts'

/** In v1beta1 all of a device but its name lay in `basic`. */
export function servedSlice(slice: ResourceSlice): ResourceSlice {
  const devices = slice.spec.devices
  if (devices === undefined || !devices.some(device => 'basic' in device)) return slice
  return { ...slice, spec: { ...slice.spec, devices: devices.map(servedDevice) } }
}

function servedDevice(device: Device & { readonly basic?: Omit<Device, 'name'> }): Device {
  const { basic, ...rest } = device
  return { ...basic, ...rest }
}

/** In v1beta1 what is asked exactly lay in the request itself. */
export function servedClaim(claim: ResourceClaim): ResourceClaim {
  // A real server writes null for a list that nobody gave.
  const requests = claim.spec.devices?.requests ?? []
  if (!requests.some(request => 'deviceClassName' in request)) return claim
  return { ...claim, spec: { ...claim.spec, devices: { ...claim.spec.devices, requests: requests.map(servedRequest) } } }
}

function servedRequest(request: DeviceRequest): DeviceRequest {
  if (!('deviceClassName' in request) || typeof request.deviceClassName !== 'string') return request
  const { name, firstAvailable, exactly: _, deviceClassName, ...wish } = request
  return { name, exactly: { ...wish, deviceClassName } }
}
