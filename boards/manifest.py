# Our modules, and of lib/ what they import, for a board's image: include() it in the manifest that is given as
# FROZEN_MANIFEST. umqtt=False where that one brings umqtt.simple itself, as ports/esp32's does. Needs `make deps`.
options.defaults(umqtt=True)

package("firmware", base_path="..")
package("umodbus", ("__init__.py", "const.py", "functions.py", "typing.py", "version.py"), base_path="../lib")
if options.umqtt:
    package("umqtt", ("simple.py",), base_path="../lib")
