// Styles that a view imports: Vite takes them; to the compiler they are nothing.
declare module '*.css' {}
