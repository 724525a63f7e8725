import { isIP } from 'node:net'
import type { HostPort } from './listening-sockets.ts'

/** @example parseListen('[::]:80') // { host: '::', port: 80 } */
export function parseListen(text: string): HostPort {
  const match = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):(\d{1,5})$/i.exec(text)
  const host = match?.[1] ?? match?.[2] ?? ''
  const port = Number(match?.[3])
  if (isIP(host) === 0 || port < 1 || port > 65_535) throw new Error(`WEIR_HTTP_LISTEN: "${text}" is not of the form 127.0.0.1:8080`)
  return { host, port }
}
