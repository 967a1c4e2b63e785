# Toolchain file for ROS 2 from PyPI (ros-jazzy-* wheels): named by CMAKE_TOOLCHAIN_FILE.
#
# The wheels' CMake exports carry include directories of the machine that built them (/opt/python/...). CMake refuses
# imported targets whose include directories do not exist, so the absent ones are dropped at the end of configure.
# Existing directories stay, hence a real installation in /opt/python is left alone.

include_guard(GLOBAL)

function(inspection_drop_absent_includes directory)
  get_property(targets DIRECTORY "${directory}" PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(includes "${target}" INTERFACE_INCLUDE_DIRECTORIES)
    if(NOT includes)
      continue()
    endif()
    set(kept "")
    foreach(include IN LISTS includes)
      if(NOT include MATCHES "^/opt/python/" OR EXISTS "${include}")
        list(APPEND kept "${include}")
      endif()
    endforeach()
    set_target_properties("${target}" PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${kept}")
  endforeach()
  get_property(children DIRECTORY "${directory}" PROPERTY SUBDIRECTORIES)
  foreach(child IN LISTS children)
    inspection_drop_absent_includes("${child}")
  endforeach()
endfunction()

# A toolchain file is read before project(), also inside try_compile: only defer in a real project.
if(NOT CMAKE_PROJECT_NAME STREQUAL "CMAKE_TRY_COMPILE")
  cmake_language(DEFER DIRECTORY "${CMAKE_SOURCE_DIR}" CALL inspection_drop_absent_includes "${CMAKE_SOURCE_DIR}")
endif()
