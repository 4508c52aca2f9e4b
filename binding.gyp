# For node-gyp and what drives it (prebuildify): everything is delegated to CMakeLists.txt, which holds the only source list.
{
  "targets": [
    {
      "target_name": "torch_t5",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["build/Release/torch_t5.node", "build/Release/torch_t5_preload.node"],
          "action": ["node", "scripts/gyp-build.mjs"]
        }
      ]
    }
  ]
}
