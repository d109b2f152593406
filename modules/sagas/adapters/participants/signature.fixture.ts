/** For everybody who signs or verifies. The first is the example that Standard Webhooks publishes; the others are openssl's. */
export const signatureVectors = [
  {
    secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    timestamp: 1614265330,
    body: '{"test": 2432232314}',
    signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  },
  {
    secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    id: 'saga-1.charge.forward',
    timestamp: 1795682096,
    body: '',
    signature: 'v1,HS46qOd2i8PVEQhus8FgP4L8ACTfUqTpbLWqiXI+itI=',
  },
  {
    secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    id: 'saga-1.charge.forward',
    timestamp: 1795682096,
    body: '{"name":"Zoë 🚲"}',
    signature: 'v1,aibUYJit+Np4m2b4Z57BXppwajCrvZ2T+SrbWP+vM2s=',
  },
] as const
