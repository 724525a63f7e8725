import { SeededRandom, SimulatedClock } from '../../test/simulation/clock.ts'
import { gatewayContract, hostOf } from './contract.ts'
import { NO_FAULTS, SimulatedGateway } from './simulated.ts'
import { ask, Processes, startTarget, until } from './testing.ts'

gatewayContract('the simulated gateway', async () => {
  const clock = new SimulatedClock()
  const gateway = new SimulatedGateway({ clock, random: new SeededRandom(7), workers: 2, faults: NO_FAULTS })
  return {
    gateway,
    target: (id) => ({ id, address: '127.0.0.1', ports: { http: 1 } }),
    request: async (environment, html) => {
      const end = gateway.begin(environment, 'web', html)
      end?.()
      return end !== null
    },
    hold: async (environment) => {
      const end = gateway.begin(environment, 'web')
      return async () => end?.()
    },
    eventually: async (check, what) => {
      for (let i = 0; i < 100; i++) {
        if (await check()) return
        await clock.run(10)
      }
      throw new Error(`never: ${what}`)
    },
    close: async () => {},
  }
})

gatewayContract('the gateway of two workers', async () => {
  const processes = await Processes.start({ WEIR_GATEWAY_WORKERS: '2' })
  let release: (() => void) | null = null
  const target = await startTarget((request, response) => {
    if (request.url === '/hold') release = () => response.end('held')
    else response.setHeader('content-type', request.url === '/page' ? 'Text/HTML; charset=utf-8' : 'application/json').end('{}')
  })
  return {
    gateway: processes.client,
    target: (id) => ({ id, address: '127.0.0.1', ports: { http: target.port } }),
    request: async (environment, html) =>
      (await ask({ port: processes.port, path: html ? '/page' : '/', headers: { host: hostOf(environment) } })).status === 200,
    hold: async (environment) => {
      const answer = ask({ port: processes.port, path: '/hold', headers: { host: hostOf(environment) } })
      const end = await until(() => release, 'the request reached the target')
      return async () => {
        end()
        await answer
      }
    },
    eventually: async (check, what) => {
      await until(check, what)
    },
    close: async () => {
      await processes.stop()
      target.close()
    },
  }
})
