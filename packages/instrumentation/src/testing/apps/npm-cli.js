import './works-once.cjs'
