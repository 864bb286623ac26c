// Vite bundles the worklet into a file of its own and gives its address.
declare module '*/listen-worklet.ts?worker&url' {
  const url: string;
  export default url;
}
